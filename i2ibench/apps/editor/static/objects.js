/** The tools that work on whole objects: select, move and copy by dragging; stamp new ones. */
import { context2d } from "./dom.js";
import { strokeTwice, traceMask } from "./outlines.js";
import { scaleMask } from "./raster.js";
import { colourOf } from "./store.js";
import { selectMade } from "./tools.js";

const CLICK = 4;
const SMALLEST = 0.1;
const LARGEST = 8;

export class Select {
  cursor = "default";
  #app;
  /**
   * @type {null | {
   *   id: number, x: number, y: number, dx: number, dy: number, start: Point, moved: boolean, path: Path2D
   * }}
   */
  #drag = null;

  /** @param {App} app */
  constructor(app) {
    this.#app = app;
  }

  /** @param {Point} point @param {PointerEvent} event */
  down({ x, y }, event) {
    const { store, maps, outlines } = this.#app;
    if (!maps.contains(x, y)) return;
    const id = maps.instance[y * maps.width + x];
    const info = store.info(id);
    if (!info) return;
    // Dragging the street by accident would be a surprise: what is no thing is selected first.
    const movable = store.selected === id || store.classes[info.label].thing;
    store.set({ selected: id });
    if (!movable) return;
    const start = { x: event.clientX, y: event.clientY };
    this.#drag = { id, x, y, dx: 0, dy: 0, start, moved: false, path: outlines.of(id, info) };
  }

  /** @param {Point} point @param {PointerEvent} event */
  move({ x, y }, event) {
    const drag = this.#drag;
    if (!drag) return;
    const far = Math.hypot(event.clientX - drag.start.x, event.clientY - drag.start.y);
    drag.moved ||= far >= CLICK;
    if (!drag.moved) return;
    [drag.dx, drag.dy] = [x - drag.x, y - drag.y];
    this.#app.overlay.hideObjects = true;
    this.#app.overlay.redraw();
  }

  /** @param {Point} point @param {PointerEvent} event */
  async up(point, event) {
    const drag = this.#drag;
    this.cancel();
    if (!drag || (!drag.dx && !drag.dy)) return;
    const { id, dx, dy } = drag;
    if (event.altKey) await this.#app.actions.duplicate(dx, dy);
    else await this.#app.edits.run("move", { instance: id, dx, dy });
  }

  cancel() {
    this.#drag = null;
    this.#app.overlay.hideObjects = false;
    this.#app.overlay.redraw();
  }

  /** @param {CanvasRenderingContext2D} context @param {number} scale */
  draw(context, scale) {
    const drag = this.#drag;
    if (!drag?.moved) return;
    context.save();
    context.globalAlpha = 0.55;
    strokeTwice(context, drag.path, 1.25, scale, true);
    context.globalAlpha = 1;
    context.translate(drag.dx, drag.dy);
    strokeTwice(context, drag.path, 2, scale);
    context.restore();
  }
}

export class Stamp {
  cursor = "crosshair";
  #app;
  /** @type {Silhouette | null} */
  #silhouette = null;
  /** @type {(Mask & { path: Path2D, canvas?: HTMLCanvasElement }) | null} */
  #ghost = null;
  scale = 1;
  flip = false;

  /** @param {App} app */
  constructor(app) {
    this.#app = app;
  }

  get silhouette() {
    return this.#silhouette;
  }

  /**
   * {name, mask, width, height} or null.
   * @param {Silhouette | null} silhouette
   */
  choose(silhouette) {
    this.#silhouette = silhouette;
    this.#shape();
  }

  /** @param {number} factor */
  resize(factor) {
    this.scale = Math.min(Math.max(this.scale * factor, SMALLEST), LARGEST);
    this.#shape();
  }

  turn() {
    this.flip = !this.flip;
    this.#shape();
  }

  /** @param {number} steps */
  wheel(steps) {
    this.resize(1.08 ** -steps);
  }

  /** @param {Point} point */
  async down({ x, y }) {
    const { store, edits } = this.#app;
    if (!this.#silhouette) return;
    const before = new Set(store.instances.keys());
    const { name } = this.#silhouette;
    const fields = { stamp: name, x, y, scale: this.scale, flip: this.flip, label: store.label };
    selectMade(store, before, await edits.run("stamp", fields));
  }

  move() {}
  up() {}
  cancel() {}

  #shape() {
    this.#ghost = null;
    this.#app.overlay.redraw();
    this.#app.stampChanged?.();
    if (!this.#silhouette) return;
    const scaled = scaleMask(this.#silhouette, this.scale, this.flip);
    this.#ghost = { ...scaled, path: traceMask(scaled) };
  }

  /** @param {CanvasRenderingContext2D} context @param {number} scale */
  draw(context, scale) {
    const { store } = this.#app;
    if (!this.#ghost || !store.pointer) return;
    this.#ghost.canvas ??= paintMask(this.#ghost, store.classes[store.label]);
    const { canvas, path, width, height } = this.#ghost;
    context.save();
    context.translate(store.pointer.x - Math.floor(width / 2), store.pointer.y - Math.floor(height / 2));
    context.globalAlpha = 0.6;
    context.imageSmoothingEnabled = false;
    context.drawImage(canvas, 0, 0);
    context.globalAlpha = 1;
    strokeTwice(context, path, 1.25, scale);
    context.restore();
  }
}

/**
 * A canvas with a silhouette in its class's colour.
 * @param {Mask} mask
 * @param {SemanticClass} semanticClass
 */
export function paintMask({ mask, width, height }, semanticClass) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = context2d(canvas);
  context.fillStyle = colourOf(semanticClass);
  context.fillRect(0, 0, width, height);
  const image = context.getImageData(0, 0, width, height);
  for (let at = 0; at < mask.length; at += 1) if (!mask[at]) image.data[at * 4 + 3] = 0;
  context.putImageData(image, 0, 0);
  return canvas;
}
