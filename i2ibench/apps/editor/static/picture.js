/** The synthesised picture on its canvas: previews over it, final boxes into it. */
import { context2d } from "./dom.js";
import { EMPTY, clip, union } from "./raster.js";

export class PictureCanvas {
  /** Version of the newest final picture, -1 before there is one. */
  version = -1;
  #canvas;
  #shown;
  #final;
  #previewed = EMPTY;
  /** @type {Promise<void>} */
  #chain = Promise.resolve();
  #decoding = 0;
  #since = 0;
  #newest = -1;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.#canvas = canvas;
    this.#shown = context2d(canvas);
    this.#final = context2d(document.createElement("canvas"));
  }

  get quiet() {
    return this.#decoding === 0;
  }

  /**
   * A scene begins: older pictures are not its own. The pixels stay until the next picture, since
   * the server sends what differs from them.
   * @param {number} width
   * @param {number} height
   */
  begin(width, height) {
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      for (const canvas of [this.#canvas, this.#final.canvas]) {
        canvas.width = width;
        canvas.height = height;
      }
    }
    this.#since = Infinity;
    this.#newest = -1;
    this.version = -1;
  }

  /**
   * Pictures count from this version on: the first maps of the scene have come.
   * @param {number} version
   */
  accept(version) {
    if (this.#since === Infinity) this.#since = version;
  }

  /**
   * Show a picture frame; pictures appear in the order in which they came.
   * @param {ImageHeader} header
   * @param {Bytes} payload
   */
  show(header, payload) {
    this.#decoding += 1;
    const bitmap = header.width > 0 ? decode(payload, header.final) : Promise.resolve(null);
    bitmap.catch(() => {}); // reported below, in its turn
    const turn = this.#chain.then(async () => this.#draw(header, await bitmap));
    this.#chain = turn.catch((error) => console.error(error)).then(() => void (this.#decoding -= 1));
    return turn.catch(() => false);
  }

  /**
   * Whether it was drawn. A final box is always kept: the next one says what differs from it.
   * @param {ImageHeader} header
   * @param {ImageBitmap | null} bitmap
   */
  #draw(header, bitmap) {
    const box = { x: header.x, y: header.y, width: header.width, height: header.height };
    const current = header.version >= this.#since && header.version >= this.#newest;
    if (header.final) {
      if (bitmap) this.#final.drawImage(bitmap, box.x, box.y);
      this.#previewed = union(this.#previewed, box);
      if (current) this.#finish(header.version);
    } else if (current && bitmap) {
      this.#shown.drawImage(bitmap, box.x, box.y, box.width, box.height);
      this.#previewed = union(this.#previewed, box);
    }
    if (current) this.#newest = header.version;
    bitmap?.close();
    return current;
  }

  /** @param {number} version */
  #finish(version) {
    const box = clip(this.#previewed, this.#canvas.width, this.#canvas.height);
    const { x, y, width, height } = box;
    if (width) this.#shown.drawImage(this.#final.canvas, x, y, width, height, x, y, width, height);
    this.#previewed = EMPTY;
    this.version = version;
  }
}

/** @param {Bytes} bytes @param {boolean} exact */
function decode(bytes, exact) {
  const type = exact ? "image/png" : "image/jpeg";
  /** @type {ImageBitmapOptions} */
  const options = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
  return createImageBitmap(new Blob([bytes], { type }), options);
}
