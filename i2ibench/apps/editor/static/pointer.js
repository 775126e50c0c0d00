/** Mouse, pen and wheel on both panes: they share tools, hover, zoom and pan. */
import { happenedIn } from "./dom.js";
import { pickClass } from "./tools.js";

export class Pointer {
  #app;
  /** @type {Point | null} */
  #panning = null;
  /** @type {Tool | null} */
  #busy = null;
  #space = false;

  /** @param {App} app @param {HTMLElement[]} panes */
  constructor(app, panes) {
    this.#app = app;
    for (const pane of panes) {
      pane.addEventListener("pointerdown", (event) => this.#down(event, pane));
      pane.addEventListener("pointermove", (event) => this.#move(event));
      pane.addEventListener("pointerup", (event) => this.#up(event));
      pane.addEventListener("pointercancel", () => this.cancel());
      pane.addEventListener("pointerleave", () => this.#leave());
      pane.addEventListener("wheel", (event) => this.#wheel(event, pane), { passive: false });
      pane.addEventListener("contextmenu", (event) => event.preventDefault());
    }
    addEventListener("keydown", (event) => event.key === "Tab" && document.body.classList.add("tabbing"));
    addEventListener("pointerdown", () => document.body.classList.remove("tabbing"), true);
    addEventListener("keydown", (event) => this.#hold(event, true));
    addEventListener("keyup", (event) => this.#hold(event, false));
    addEventListener("blur", () => (this.#space = false));
    app.store.on(["tool"], () => this.#take(panes));
  }

  /** Give up what the tool has begun. Returns whether there was anything. */
  cancel() {
    const busy = this.#busy !== null;
    this.#busy?.cancel();
    this.#busy = null;
    this.#panning = null;
    return busy;
  }

  /** @param {HTMLElement[]} panes */
  #take(panes) {
    this.cancel();
    const { tool, overlay } = this.#app;
    overlay.preview = (context, scale) => tool().draw(context, scale);
    for (const pane of panes) pane.style.cursor = tool().cursor;
  }

  /** @param {KeyboardEvent} event @param {boolean} down */
  #hold(event, down) {
    if (event.code !== "Space" || happenedIn(event, "button, input, select, a, dialog")) return;
    if (happenedIn(event, ".pane")) event.preventDefault();
    this.#space = down;
  }

  /** @param {PointerEvent} event @param {HTMLElement} pane */
  #down(event, pane) {
    pane.focus({ preventScroll: true });
    pane.setPointerCapture(event.pointerId);
    if (event.button === 1 || (event.button === 0 && this.#space)) {
      event.preventDefault();
      this.#panning = { x: event.clientX, y: event.clientY };
      return;
    }
    const point = this.#app.view.pixel(event);
    if (event.button === 2) pickClass(this.#app, point);
    if (event.button !== 0 || !this.#app.ready()) return;
    if (event.altKey && this.#app.store.tool !== "select") {
      pickClass(this.#app, point);
      return;
    }
    this.#busy = this.#app.tool();
    this.#busy.down(point, event);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    if (this.#panning) {
      this.#app.view.pan(event.clientX - this.#panning.x, event.clientY - this.#panning.y);
      this.#panning = { x: event.clientX, y: event.clientY };
      return;
    }
    const { view, maps, store } = this.#app;
    const point = view.pixel(event);
    const inside = maps.contains(point.x, point.y);
    const hovered = inside && !this.#painting() ? maps.instance[point.y * maps.width + point.x] : null;
    if (point.x !== store.pointer?.x || point.y !== store.pointer?.y) store.set({ pointer: point });
    store.set({ hovered });
    if (!this.#busy) return;
    for (const part of this.#parts(event)) this.#busy.move(view.pixel(part), event);
  }

  #painting() {
    return this.#busy !== null && this.#app.store.tool === "brush";
  }

  /**
   * The positions between two frames. They lack currentTarget, so they are given the pane's.
   * @param {PointerEvent} event
   */
  #parts(event) {
    const parts = event.getCoalescedEvents?.() ?? [];
    const { currentTarget } = event;
    if (parts.length === 0) return [event];
    return parts.map(({ clientX, clientY }) => ({ clientX, clientY, currentTarget }));
  }

  /** @param {PointerEvent} event */
  #up(event) {
    this.#panning = null;
    const tool = this.#busy;
    this.#busy = null;
    tool?.up(this.#app.view.pixel(event), event);
  }

  #leave() {
    if (!this.#busy) this.#app.store.set({ hovered: null, pointer: null });
  }

  /** @param {WheelEvent} event @param {HTMLElement} pane */
  #wheel(event, pane) {
    event.preventDefault();
    const steps = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? event.deltaY / 100 : event.deltaY / 3;
    const tool = this.#app.tool();
    if (tool.wheel && !event.ctrlKey && !event.metaKey) {
      tool.wheel(steps);
      return;
    }
    const area = pane.getBoundingClientRect();
    const factor = 1.2 ** -(event.ctrlKey ? steps * 3 : steps);
    this.#app.view.zoom(factor, event.clientX - area.left, event.clientY - area.top);
  }
}
