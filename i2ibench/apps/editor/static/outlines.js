/** Outlines along pixel edges, as paths in the scene's coordinates. */

/**
 * The outline of the pixels that are 1 in `padded`, which has a margin of one zero all around.
 * @param {Uint8Array} padded
 * @param {number} width
 * @param {number} height
 * @param {number} left
 * @param {number} top
 */
function trace(padded, width, height, left, top) {
  const path = new Path2D();
  const stride = width + 2;
  const starts = new Int32Array(width + 1).fill(-1); // of the upright line left of each column
  for (let y = 0; y <= height; y += 1) {
    const row = (y + 1) * stride + 1;
    let start = -1;
    for (let x = 0; x <= width; x += 1) {
      const at = row + x;
      const edge = padded[at] !== padded[at - stride];
      if (edge && start < 0) start = x;
      else if (!edge && start >= 0) {
        path.moveTo(left + start, top + y);
        path.lineTo(left + x, top + y);
        start = -1;
      }
      const upright = padded[at] !== padded[at - 1];
      if (upright && starts[x] < 0) starts[x] = y;
      else if (!upright && starts[x] >= 0) {
        path.moveTo(left + x, top + starts[x]);
        path.lineTo(left + x, top + y);
        starts[x] = -1;
      }
    }
  }
  return path;
}

/** @param {Mask} mask */
export function traceMask({ mask, width, height }) {
  const padded = new Uint8Array((width + 2) * (height + 2));
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) padded[(y + 1) * (width + 2) + x + 1] = mask[y * width + x] ? 1 : 0;
  }
  return trace(padded, width, height, 0, 0);
}

/** Outlines of objects, traced once until the maps change. */
export class Outlines {
  #maps;
  /** @type {Map<number, Path2D>} */
  #paths = new Map();

  /** @param {Maps} maps */
  constructor(maps) {
    this.#maps = maps;
  }

  clear() {
    this.#paths.clear();
  }

  /**
   * Path2D of the object, whose pixels all lie in info.box.
   * @param {number} id
   * @param {InstanceInfo} info
   */
  of(id, info) {
    let path = this.#paths.get(id);
    if (!path) {
      const [left, top, width, height] = info.box;
      path = trace(this.#padded(id, left, top, width, height), width, height, left, top);
      this.#paths.set(id, path);
    }
    return path;
  }

  /** @param {number} id @param {number} left @param {number} top @param {number} width @param {number} height */
  #padded(id, left, top, width, height) {
    const { instance, width: stride } = this.#maps;
    const padded = new Uint8Array((width + 2) * (height + 2));
    for (let y = 0; y < height; y += 1) {
      const from = (top + y) * stride + left;
      const to = (y + 1) * (width + 2) + 1;
      for (let x = 0; x < width; x += 1) padded[to + x] = instance[from + x] === id ? 1 : 0;
    }
    return padded;
  }
}

/**
 * A double line, black outside and white inside: seen on every colour and by every eye.
 * @param {CanvasRenderingContext2D} context
 * @param {Path2D} path
 * @param {number} width
 * @param {number} scale
 * @param {boolean} [dashed]
 */
export function strokeTwice(context, path, width, scale, dashed = false) {
  context.lineCap = "square";
  context.setLineDash([]);
  context.strokeStyle = "#000";
  context.lineWidth = (width * 2 + 1) / scale;
  context.stroke(path);
  context.lineCap = dashed ? "butt" : "square";
  context.setLineDash(dashed ? [4 / scale, 3 / scale] : []);
  context.strokeStyle = "#fff";
  context.lineWidth = width / scale;
  context.stroke(path);
  context.setLineDash([]);
}
