/** The raster rule, the same as in the server's rasterise.py: integers only, so that both agree.
 *
 * A disc of radius r covers the pixels with dx*dx + dy*dy <= r*r + r; a segment stamps it at every
 * point of the integer Bresenham line, both ends included. A box is {x, y, width, height}.
 */

/** @type {Box} */
export const EMPTY = Object.freeze({ x: 0, y: 0, width: 0, height: 0 });

/**
 * The smallest box that holds both.
 * @param {Box} a
 * @param {Box} b
 */
export function union(a, b) {
  if (!a.width || !a.height) return b;
  if (!b.width || !b.height) return a;
  const x = Math.min(a.x, b.x);
  const y = Math.min(a.y, b.y);
  return {
    x, y,
    width: Math.max(a.x + a.width, b.x + b.width) - x,
    height: Math.max(a.y + a.height, b.y + b.height) - y,
  };
}

/**
 * The part of a box that lies in a width x height map.
 * @param {Box} box
 * @param {number} width
 * @param {number} height
 */
export function clip(box, width, height) {
  const x = Math.max(box.x, 0);
  const y = Math.max(box.y, 0);
  const right = Math.min(box.x + box.width, width);
  const bottom = Math.min(box.y + box.height, height);
  return right > x && bottom > y ? { x, y, width: right - x, height: bottom - y } : EMPTY;
}

/** @param {Box} a @param {Box} b */
export function overlap(a, b) {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

/**
 * The box that a segment's discs cover, not clipped.
 * @param {Line} line
 */
export function segmentBox({ x0, y0, x1, y1, radius }) {
  const x = Math.min(x0, x1) - radius;
  const y = Math.min(y0, y1) - radius;
  return { x, y, width: Math.abs(x1 - x0) + 2 * radius + 1, height: Math.abs(y1 - y0) + 2 * radius + 1 };
}

/**
 * Half the width of a disc in each of its rows, from the top: 2r + 1 integers.
 * @type {Map<number, Int32Array>}
 */
const spans = new Map();

/** @param {number} radius */
function spansOf(radius) {
  let rows = spans.get(radius);
  if (!rows) {
    rows = new Int32Array(2 * radius + 1);
    for (let dy = -radius; dy <= radius; dy += 1) {
      let half = 0;
      while ((half + 1) * (half + 1) + dy * dy <= radius * radius + radius) half += 1;
      rows[dy + radius] = half;
    }
    spans.set(radius, rows);
  }
  return rows;
}

/**
 * Call row(start, end) with index ranges of every disc row of the segment, clipped to the map.
 * @param {Line} line
 * @param {number} width
 * @param {number} height
 * @param {(start: number, end: number) => void} row
 */
export function eachSpan({ x0, y0, x1, y1, radius }, width, height, row) {
  const halves = spansOf(radius);
  eachPoint(x0, y0, x1, y1, (cx, cy) => {
    const top = Math.max(cy - radius, 0);
    const bottom = Math.min(cy + radius, height - 1);
    for (let y = top; y <= bottom; y += 1) {
      const half = halves[y - cy + radius];
      const left = Math.max(cx - half, 0);
      const right = Math.min(cx + half, width - 1);
      if (right >= left) row(y * width + left, y * width + right + 1);
    }
  });
}

/**
 * Call point(x, y) along the standard integer Bresenham line.
 * @param {number} x0
 * @param {number} y0
 * @param {number} x1
 * @param {number} y1
 * @param {(x: number, y: number) => void} point
 */
export function eachPoint(x0, y0, x1, y1, point) {
  const dx = Math.abs(x1 - x0);
  const dy = -Math.abs(y1 - y0);
  const sx = x0 < x1 ? 1 : -1;
  const sy = y0 < y1 ? 1 : -1;
  let error = dx + dy;
  let x = x0;
  let y = y0;
  for (;;) {
    point(x, y);
    if (x === x1 && y === y1) return;
    const twice = 2 * error;
    if (twice >= dy) {
      error += dy;
      x += sx;
    }
    if (twice <= dx) {
      error += dx;
      y += sy;
    }
  }
}

/**
 * A silhouette scaled by the stamp rule: {mask, width, height}, one byte per pixel.
 * @param {Mask} mask
 * @param {number} scale
 * @param {boolean} flip
 */
export function scaleMask({ mask, width, height }, scale, flip) {
  const w = Math.max(1, Math.floor(width * scale + 0.5));
  const h = Math.max(1, Math.floor(height * scale + 0.5));
  const scaled = new Uint8Array(w * h);
  for (let y = 0; y < h; y += 1) {
    const from = Math.floor((y * height) / h) * width;
    for (let x = 0; x < w; x += 1) {
      scaled[y * w + (flip ? w - 1 - x : x)] = mask[from + Math.floor((x * width) / w)];
    }
  }
  return { mask: scaled, width: w, height: h };
}
