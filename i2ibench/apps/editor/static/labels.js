/** The label map on its canvas: class colours at display only, nothing smoothed. */
import { context2d } from "./dom.js";
import { EMPTY, clip, union } from "./raster.js";

export class LabelCanvas {
  #canvas;
  #context;
  #maps;
  #dirty = EMPTY;
  #inside = new Uint32Array(256);
  #edge = new Uint32Array(256);

  /** @param {HTMLCanvasElement} canvas @param {Maps} maps */
  constructor(canvas, maps) {
    this.#canvas = canvas;
    this.#context = context2d(canvas);
    this.#maps = maps;
  }

  /**
   * Colours of the classes, [[red, green, blue], ...].
   * @param {number[][]} colours
   */
  setColours(colours) {
    /** @param {number[]} rgb @param {number} part */
    const pack = (rgb, part) =>
      ((255 << 24) | (Math.round(rgb[2] * part) << 16) | (Math.round(rgb[1] * part) << 8) | Math.round(rgb[0] * part)) >>> 0;
    colours.forEach((rgb, number) => {
      this.#inside[number] = pack(rgb, 1);
      this.#edge[number] = pack(rgb, 0.55);
    });
  }

  /** @param {number} width @param {number} height */
  resize(width, height) {
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
    }
    this.redraw(this.#maps.whole);
  }

  /**
   * Redraw a box with the next frame; edges reach one pixel to the right and down.
   * @param {Box} box
   */
  redraw(box) {
    if (!box.width || !box.height) return;
    if (!this.#dirty.width) requestAnimationFrame(() => this.#draw());
    this.#dirty = union(this.#dirty, { ...box, width: box.width + 1, height: box.height + 1 });
  }

  #draw() {
    const box = clip(this.#dirty, this.#maps.width, this.#maps.height);
    this.#dirty = EMPTY;
    if (!box.width) return;
    const { label, instance, width } = this.#maps;
    const image = this.#context.createImageData(box.width, box.height);
    const pixels = new Uint32Array(image.data.buffer);
    let to = 0;
    for (let y = box.y; y < box.y + box.height; y += 1) {
      for (let x = box.x; x < box.x + box.width; x += 1) {
        const at = y * width + x;
        const number = label[at];
        // Objects of one class that touch are told apart by a darker line.
        const edge =
          (x > 0 && instance[at - 1] !== instance[at] && label[at - 1] === number) ||
          (y > 0 && instance[at - width] !== instance[at] && label[at - width] === number);
        pixels[to] = edge ? this.#edge[number] : this.#inside[number];
        to += 1;
      }
    }
    this.#context.putImageData(image, box.x, box.y);
  }
}
