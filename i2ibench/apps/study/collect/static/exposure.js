/** Exposure: pictures shown for a number of the screen's frames, and what it really was, measured. */

const REMEMBERED = 90;
const AT_LEAST = 40;

/** @type {() => Promise<number>} */
export const nextFrame = () => new Promise((resolve) => requestAnimationFrame(resolve));

/** The screen's frame interval: the median of the last frames that were watched. */
export class Frames {
  /** @type {number[]} */
  #intervals = [];

  /** Milliseconds; 0 before anything was watched. */
  get interval() {
    const sorted = [...this.#intervals].sort((a, b) => a - b);
    return sorted.length ? sorted[sorted.length >> 1] : 0;
  }

  /**
   * Look at frames for a time, and until enough are known.
   * @param {number} milliseconds
   */
  async watch(milliseconds) {
    const start = await nextFrame();
    let previous = start;
    while (previous - start < milliseconds || this.#intervals.length < AT_LEAST) {
      const now = await nextFrame();
      this.#intervals.push(now - previous);
      previous = now;
    }
    this.#intervals.splice(0, this.#intervals.length - REMEMBERED);
  }
}

/**
 * Show what open() uncovers on one frame and close() covers on the first at which the wanted time
 * has passed, to the nearest whole number of frames.
 *
 * Gives {start, shown_ms, dropped}: the timestamp of the first frame, the difference of both, and
 * how many frames between them did not come. A page that is hidden meanwhile covers at once.
 * What the page cannot see is the way from there to the glass, which is about the same for both.
 * @param {() => void} open
 * @param {() => void} close
 * @param {number} wanted
 * @param {number} interval
 */
export async function expose(open, close, wanted, interval) {
  const count = Math.max(1, Math.round(wanted / interval));
  const start = await nextFrame();
  open();
  let now = start;
  let dropped = 0;
  while (now - start < (count - 0.5) * interval) {
    const previous = now;
    now = await nextFrameOrHidden();
    dropped += Math.max(0, Math.round((now - previous) / interval) - 1);
    if (document.hidden) break;
  }
  close();
  return { start, shown_ms: now - start, dropped };
}

/** The next frame's timestamp; a hidden page gets no frames, so there the time of being hidden. */
function nextFrameOrHidden() {
  /** @type {Promise<number>} */
  const timestamp = new Promise((resolve) => {
    const hidden = () => document.hidden && end(performance.now());
    const frame = requestAnimationFrame((now) => end(now));
    /** @param {number} now */
    const end = (now) => {
      cancelAnimationFrame(frame);
      document.removeEventListener("visibilitychange", hidden);
      resolve(now);
    };
    document.addEventListener("visibilitychange", hidden);
    hidden();
  });
  return timestamp;
}
