/** The painting tools. A tool has down, move, up, cancel and draw(context, scale); points are pixels. */
import { likelyInstance } from "./maps.js";
import { strokeTwice } from "./outlines.js";
import { colourOf } from "./store.js";

/**
 * Return what painting means now.
 * @param {Store} store
 * @returns {PaintTarget}
 */
export function paintTarget(store) {
  const info = store.info(store.selected);
  if (store.painting === "selected" && store.selected !== null && info) {
    return { label: info.label, instance: store.selected };
  }
  return { label: store.label, instance: store.painting === "new" ? "new" : "auto" };
}

/**
 * Select the object that an edit made.
 * @param {Store} store
 * @param {Set<number>} before
 * @param {Done | null} done
 */
export function selectMade(store, before, done) {
  if (!done) return;
  const made = done.instance ?? [...store.instances.keys()].find((id) => !before.has(id));
  if (made !== undefined) store.set({ selected: made });
}

/**
 * The class under a pixel becomes the class in hand.
 * @param {App} app
 * @param {Point} point
 */
export function pickClass({ store, maps }, { x, y }) {
  if (maps.contains(x, y)) store.set({ label: maps.label[y * maps.width + x] });
}

export class Brush {
  cursor = "crosshair";
  #app;
  /** @type {import("./edits.js").Stroke | null} */
  #stroke = null;
  #new = false;

  /** @param {App} app */
  constructor(app) {
    this.#app = app;
  }

  /** @param {Point} point */
  down(point) {
    const { store, edits } = this.#app;
    const target = paintTarget(store);
    const thing = store.classes[target.label]?.thing;
    const shown = likelyInstance(store.instances, target.instance, target.label, thing);
    this.#new = target.instance === "new";
    this.#stroke = edits.begin(point.x, point.y, { ...target, radius: store.radius, shown });
  }

  /** @param {Point} point */
  move(point) {
    if (this.#stroke) this.#app.edits.extend(this.#stroke, point.x, point.y);
  }

  async up() {
    const { store, edits } = this.#app;
    if (!this.#stroke) return;
    const ending = edits.end(this.#stroke);
    this.#stroke = null;
    const before = new Set(store.instances.keys());
    if (this.#new) selectMade(store, before, await ending);
  }

  cancel() {
    return this.up();
  }

  /** @param {CanvasRenderingContext2D} context @param {number} scale */
  draw(context, scale) {
    const { store } = this.#app;
    if (!store.pointer) return;
    const { radius } = store;
    const ring = new Path2D();
    const { x, y } = store.pointer;
    ring.arc(x + 0.5, y + 0.5, Math.sqrt(radius * radius + radius) + 0.25, 0, 2 * Math.PI);
    context.fillStyle = colourOf(store.classes[paintTarget(store).label]);
    context.globalAlpha = 0.25;
    context.fill(ring);
    context.globalAlpha = 1;
    strokeTwice(context, ring, 1.25, scale);
  }
}

export class Fill {
  cursor = "cell";
  #app;

  /** @param {App} app */
  constructor(app) {
    this.#app = app;
  }

  /** @param {Point} point */
  async down({ x, y }) {
    const { store, edits, maps } = this.#app;
    if (!maps.contains(x, y)) return;
    const before = new Set(store.instances.keys());
    const target = paintTarget(store);
    const done = await edits.run("fill", { x, y, ...target });
    if (target.instance === "new") selectMade(store, before, done);
  }

  move() {}
  up() {}
  cancel() {}
  draw() {}
}

export class Lasso {
  cursor = "crosshair";
  #app;
  /** @type {number[][]} */
  #points = [];

  /** @param {App} app */
  constructor(app) {
    this.#app = app;
  }

  /** @param {Point} point */
  down({ x, y }) {
    this.#points = [[x, y]];
  }

  /** @param {Point} point */
  move({ x, y }) {
    const last = this.#points.at(-1);
    if (last && (last[0] !== x || last[1] !== y)) this.#points.push([x, y]);
  }

  async up() {
    const { store, edits } = this.#app;
    const most = store.limits.points;
    const step = Math.ceil(this.#points.length / most);
    const points = this.#points.filter((_, number) => number % step === 0);
    this.cancel();
    if (points.length < 3) return;
    const before = new Set(store.instances.keys());
    const target = paintTarget(store);
    const done = await edits.run("lasso", { points, ...target });
    const thing = store.classes[target.label]?.thing;
    if (thing || target.instance === "new") selectMade(store, before, done);
  }

  cancel() {
    this.#points = [];
    this.#app.overlay.redraw();
  }

  /** @param {CanvasRenderingContext2D} context @param {number} scale */
  draw(context, scale) {
    if (this.#points.length < 2) return;
    const { store } = this.#app;
    const path = new Path2D();
    this.#points.forEach(([x, y], number) => path[number ? "lineTo" : "moveTo"](x, y));
    path.closePath();
    context.fillStyle = colourOf(store.classes[paintTarget(store).label]);
    context.globalAlpha = 0.45;
    context.fill(path, "evenodd");
    context.globalAlpha = 1;
    strokeTwice(context, path, 1.25, scale);
  }
}

export class Pipette {
  cursor = "copy";
  #app;

  /** @param {App} app */
  constructor(app) {
    this.#app = app;
  }

  /** @param {Point} point */
  down(point) {
    pickClass(this.#app, point);
  }

  /** @param {Point} point @param {PointerEvent} event */
  move(point, event) {
    if (event.buttons & 1) pickClass(this.#app, point);
  }

  /** One pick, then the tool from before is in hand again. */
  up() {
    this.#app.store.set({ tool: this.#app.previousTool });
  }

  cancel() {}
  draw() {}
}
