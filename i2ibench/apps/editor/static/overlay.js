/** What lies over both panes in the screen's own pixels: outlines and the tool's preview. */
import { context2d } from "./dom.js";
import { strokeTwice } from "./outlines.js";

export class Overlay {
  #canvases;
  #store;
  #view;
  #outlines;
  #asked = false;
  /**
   * The preview of the tool in hand.
   * @type {Tool["draw"] | null}
   */
  preview = null;
  /** While an object is dragged: its outline is drawn by the tool. */
  hideObjects = false;

  /** @param {HTMLCanvasElement[]} canvases @param {Store} store @param {View} view @param {Outlines} outlines */
  constructor(canvases, store, view, outlines) {
    this.#canvases = canvases;
    this.#store = store;
    this.#view = view;
    this.#outlines = outlines;
    view.addEventListener("change", () => this.redraw());
    store.on(["hovered", "selected", "instances", "pointer", "tool"], () => this.redraw());
  }

  redraw() {
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame(() => {
      this.#asked = false;
      for (const canvas of this.#canvases) this.#draw(canvas);
    });
  }

  /** @param {HTMLCanvasElement} canvas */
  #draw(canvas) {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * ratio);
    const height = Math.round(canvas.clientHeight * ratio);
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    const context = context2d(canvas);
    const { scale, x, y } = this.#view;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    context.setTransform(scale * ratio, 0, 0, scale * ratio, x * ratio, y * ratio);
    if (!this.hideObjects) this.#drawObjects(context);
    this.preview?.(context, scale);
  }

  /** @param {CanvasRenderingContext2D} context */
  #drawObjects(context) {
    const { hovered, selected, tool } = this.#store;
    const { scale } = this.#view;
    if (hovered !== selected && tool !== "stamp") this.#outline(context, hovered, 1.25, scale, true);
    this.#outline(context, selected, 2, scale, false);
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number | null} id
   * @param {number} width
   * @param {number} scale
   * @param {boolean} dashed
   */
  #outline(context, id, width, scale, dashed) {
    const info = this.#store.info(id);
    if (id !== null && info) strokeTwice(context, this.#outlines.of(id, info), width, scale, dashed);
  }
}
