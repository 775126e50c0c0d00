/** The label and instance maps as exact integers, with unanswered strokes painted on top.
 *
 * `truth` is what the server said last; `label` and `instance` are truth with the segments drawn
 * here that the server has not answered yet. An answer therefore never wipes newer paint.
 */
import { clip, eachSpan, overlap, segmentBox } from "./raster.js";

/** Stands for an id that only the server knows yet. */
export const UNKNOWN = -1;

export class Maps {
  width = 0;
  height = 0;
  label = new Uint8Array(0);
  instance = new Int32Array(0);
  #truth = { label: new Uint8Array(0), instance: new Int32Array(0) };
  #segments = new Set();

  /**
   * Whole maps of another size; strokes that were under way are dropped.
   * @param {number} width
   * @param {number} height
   */
  resize(width, height) {
    this.width = width;
    this.height = height;
    this.label = new Uint8Array(width * height);
    this.instance = new Int32Array(width * height);
    this.#truth = { label: new Uint8Array(width * height), instance: new Int32Array(width * height) };
    this.#segments.clear();
  }

  get whole() {
    return { x: 0, y: 0, width: this.width, height: this.height };
  }

  /** @param {number} x @param {number} y */
  contains(x, y) {
    return x >= 0 && y >= 0 && x < this.width && y < this.height;
  }

  /**
   * What the server says of a box: label bytes, then instances as int32, both row-major.
   * @param {Box} box
   * @param {Bytes} bytes
   */
  write(box, bytes) {
    const count = box.width * box.height;
    const label = bytes.subarray(0, count);
    const instance = new Int32Array(bytes.slice(count, count * 5).buffer);
    for (let row = 0; row < box.height; row += 1) {
      const to = (box.y + row) * this.width + box.x;
      const from = row * box.width;
      this.#truth.label.set(label.subarray(from, from + box.width), to);
      this.#truth.instance.set(instance.subarray(from, from + box.width), to);
    }
    this.#restore(box);
  }

  /**
   * Paint a segment at once; it stays on top until `settle` is told that it is answered.
   * @param {Segment} segment
   */
  paint(segment) {
    this.#segments.add(segment);
    this.#draw(segment);
    return clip(segmentBox(segment), this.width, this.height);
  }

  /**
   * Drop answered segments; what they covered shows the truth again. Returns their boxes.
   * @param {Segment[]} segments
   */
  settle(segments) {
    const boxes = [];
    for (const segment of segments) {
      if (!this.#segments.delete(segment)) continue;
      boxes.push(clip(segmentBox(segment), this.width, this.height));
    }
    for (const box of boxes) this.#restore(box);
    return boxes;
  }

  dropSegments() {
    return this.settle([...this.#segments]);
  }

  /** @param {Box} box */
  #restore(box) {
    for (let y = box.y; y < box.y + box.height; y += 1) {
      const start = y * this.width + box.x;
      const end = start + box.width;
      this.label.set(this.#truth.label.subarray(start, end), start);
      this.instance.set(this.#truth.instance.subarray(start, end), start);
    }
    for (const segment of this.#segments) {
      if (overlap(segmentBox(segment), box)) this.#draw(segment);
    }
  }

  /** @param {Segment} segment */
  #draw(segment) {
    eachSpan(segment, this.width, this.height, (start, end) => {
      this.label.fill(segment.label, start, end);
      this.instance.fill(segment.instance, start, end);
    });
  }
}

/**
 * The id that a stroke of a class will most likely get, by the server's rule.
 * @param {Instances} instances
 * @param {PaintTarget["instance"]} painting
 * @param {number} classNumber
 * @param {boolean} thing
 */
export function likelyInstance(instances, painting, classNumber, thing) {
  if (typeof painting === "number") return painting;
  let best = UNKNOWN;
  let most = 0;
  let last = 999;
  for (const [id, info] of instances) {
    last = Math.max(last, id);
    if (info.label === classNumber && info.area > most) [best, most] = [id, info.area];
  }
  if (painting === "auto" && !thing) return best;
  return last < 65535 ? last + 1 : UNKNOWN;
}
