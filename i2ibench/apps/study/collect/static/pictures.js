/** Pictures: fetched and decoded before they are needed, and drawn as sharply as the screen allows. */
import { context2d } from "./dom.js";

export class Pictures {
  #blob;
  /** @type {Map<string, Promise<ImageBitmap>>} */
  #ready = new Map();

  /**
   * blob(id) gives a picture's file.
   * @param {(id: string) => Promise<Blob>} blob
   */
  constructor(blob) {
    this.#blob = blob;
  }

  /**
   * Begin to fetch and decode these; forget all others.
   * @param {string[]} ids
   */
  want(ids) {
    const wanted = new Set(ids);
    for (const [id, bitmap] of this.#ready) {
      if (wanted.has(id)) continue;
      this.#ready.delete(id);
      bitmap.then((made) => made.close(), () => {});
    }
    for (const id of wanted) this.get(id).catch(() => {}); // whoever needs it hears of the error
  }

  /**
   * A promise of the decoded picture.
   * @param {string} id
   */
  get(id) {
    let bitmap = this.#ready.get(id);
    if (!bitmap) {
      bitmap = this.#blob(id).then((blob) => createImageBitmap(blob));
      this.#ready.set(id, bitmap);
    }
    return bitmap;
  }
}

/**
 * Draw a picture into the middle of a canvas of a size in CSS pixels, whole and evenly scaled.
 * @param {HTMLCanvasElement} canvas
 * @param {ImageBitmap} bitmap
 * @param {number} width
 * @param {number} height
 */
export function draw(canvas, bitmap, width, height) {
  const zoom = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * zoom);
  canvas.height = Math.round(height * zoom);
  const context = context2d(canvas, { alpha: false });
  const scale = Math.min(canvas.width / bitmap.width, canvas.height / bitmap.height);
  const [w, h] = [Math.round(bitmap.width * scale), Math.round(bitmap.height * scale)];
  context.fillStyle = "#808080";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, Math.floor((canvas.width - w) / 2), Math.floor((canvas.height - h) / 2), w, h);
}

const GRAIN = 4;

/**
 * Fill a canvas with coloured noise of a grain of a few CSS pixels.
 * @param {HTMLCanvasElement} canvas
 * @param {number} width
 * @param {number} height
 */
export function drawNoise(canvas, width, height) {
  canvas.width = Math.ceil(width / GRAIN);
  canvas.height = Math.ceil(height / GRAIN);
  const context = context2d(canvas, { alpha: false });
  const noise = context.createImageData(canvas.width, canvas.height);
  for (let i = 0; i < noise.data.length; i += 1) noise.data[i] = i % 4 === 3 ? 255 : Math.random() * 256;
  context.putImageData(noise, 0, 0);
}
