/** The user's edits in their order: strokes that are painted here at once, and operations.
 *
 * A stroke goes out as segments: at most one message per animation frame, and none while more than
 * MOST_UNANSWERED are unanswered; until then its points are collected. Whatever was asked after a
 * stroke waits until the stroke is sent.
 */
import { EMPTY, union } from "./raster.js";

const MOST_UNANSWERED = 2;

/**
 * @typedef {object} Report
 * @property {(box: Box) => void} dirty hears what must be drawn again
 * @property {(error: unknown) => void} failed
 * @property {(version: number, since?: number) => void} reached hears the version after an answer;
 *   of a stroke also since when its answer was waited for
 *
 * @typedef {object} Operation
 * @property {string} type
 * @property {Fields} fields
 * @property {Bytes | null} payload
 * @property {(done: Done | null) => void} resolve
 *
 * @typedef {object} Stroke
 * @property {undefined} [type]
 * @property {number} stroke its number
 * @property {PaintTarget & { radius: number }} paint
 * @property {number} shown the instance that is painted here until the server answers
 * @property {number[][]} points those that were not sent
 * @property {number[]} last the newest point
 * @property {Segment[]} segments those that were not answered
 * @property {boolean} ended
 * @property {number} since when the oldest point was added that was not sent
 * @property {Promise<Done | null>} result
 * @property {(done: Done | null) => void} resolve
 */

export class Edits {
  #connection;
  #maps;
  #report;
  /** @type {(Operation | Stroke)[]} */
  #queue = [];
  #strokes = 0;
  #pumping = false;
  #flying = 0;

  /**
   * @param {Connection} connection
   * @param {Maps} maps
   * @param {Report} report
   * @param {() => { points: number }} limits
   */
  constructor(connection, maps, report, limits) {
    this.#connection = connection;
    this.#maps = maps;
    this.#report = report;
    this.limits = limits;
  }

  get quiet() {
    return this.#queue.length === 0 && this.#flying === 0;
  }

  /**
   * Begin a stroke at a pixel. `instance` is what the server is told, `shown` what is painted.
   * @param {number} x
   * @param {number} y
   * @param {PaintTarget & { radius: number, shown: number }} paintTargetradiusnumbershownnumber
   */
  begin(x, y, { radius, label, instance, shown }) {
    this.#strokes += 1;
    const paint = { radius, label, instance };
    /** @type {(done: Done | null) => void} */
    let resolve = () => {};
    /** @type {Promise<Done | null>} */
    const result = new Promise((settle) => (resolve = settle));
    /** @type {Stroke} */
    const stroke = {
      stroke: this.#strokes, paint, shown, points: [[x, y]], last: [x, y], segments: [], ended: false,
      since: performance.now(), result, resolve,
    };
    this.#queue.push(stroke);
    this.#echo(stroke, x, y, x, y);
    this.#start();
    return stroke;
  }

  /** @param {Stroke} stroke @param {number} x @param {number} y */
  extend(stroke, x, y) {
    const [lastX, lastY] = stroke.last;
    if ((x === lastX && y === lastY) || stroke.ended) return;
    if (stroke.points.length === 0) {
      stroke.points.push(stroke.last);
      stroke.since = performance.now();
    }
    stroke.points.push([x, y]);
    this.#echo(stroke, lastX, lastY, x, y);
    this.#start();
  }

  /**
   * The header of the stroke's last answer, or null if it failed.
   * @param {Stroke} stroke
   */
  end(stroke) {
    stroke.ended = true;
    this.#start();
    return stroke.result;
  }

  /**
   * Run an operation after everything before it. Null, after a report, if the server refused.
   * @param {string} type
   * @param {Fields} [fields]
   * @param {Bytes | null} [payload]
   */
  run(type, fields = {}, payload = null) {
    /** @type {Promise<Done | null>} */
    const answer = new Promise((resolve) => {
      this.#queue.push({ type, fields, payload, resolve });
      this.#pump();
    });
    return answer;
  }

  /** Forget what was not sent: the connection is gone. Returns whether anything was lost. */
  drop() {
    const lost = this.#queue.length > 0 || this.#flying > 0;
    for (const entry of this.#queue) entry.resolve(null);
    this.#queue = [];
    for (const box of this.#maps.dropSegments()) this.#report.dirty(box);
    return lost;
  }

  /** @param {Stroke} stroke @param {number} x0 @param {number} y0 @param {number} x1 @param {number} y1 */
  #echo(stroke, x0, y0, x1, y1) {
    const { radius, label } = stroke.paint;
    const segment = { x0, y0, x1, y1, radius, label, instance: stroke.shown };
    stroke.last = [x1, y1];
    stroke.segments.push(segment);
    this.#report.dirty(this.#maps.paint(segment));
  }

  #start() {
    if (this.#pumping) return;
    this.#pumping = true;
    requestAnimationFrame(() => {
      this.#pumping = false;
      this.#pump();
      if (this.#queue.length > 0) this.#start();
    });
  }

  #pump() {
    let stroke = this.#queue[0];
    while (stroke?.type !== undefined) {
      this.#queue.shift();
      this.#ask(stroke);
      stroke = this.#queue[0];
    }
    if (!stroke || this.#connection.unanswered > MOST_UNANSWERED) return;
    if (stroke.points.length > 0 || stroke.ended) this.#send(stroke);
    if (this.#queue.length > 0) this.#start();
  }

  /** @param {Operation} operation */
  async #ask({ type, fields, payload, resolve }) {
    this.#flying += 1;
    try {
      const done = await this.#connection.request(type, fields, payload);
      this.#report.reached(done.version);
      resolve(done);
    } catch (error) {
      this.#report.failed(error);
      resolve(null);
    } finally {
      this.#flying -= 1;
    }
  }

  /** @param {Stroke} stroke */
  async #send(stroke) {
    const most = this.limits().points;
    const points = stroke.points.length > 0 ? stroke.points.slice(0, most) : [stroke.last];
    const rest = stroke.points.slice(most - 1);
    stroke.points = stroke.points.length > most ? rest : [];
    const end = stroke.ended && stroke.points.length === 0;
    const segments = stroke.points.length > 0 ? [] : stroke.segments.splice(0);
    if (end) this.#queue.shift();
    this.#flying += 1;
    const { since } = stroke;
    try {
      const done = await this.#connection.request("stroke", { stroke: stroke.stroke, points, ...stroke.paint, end });
      this.#report.reached(done.version, since);
      if (end) stroke.resolve(done);
    } catch (error) {
      this.#report.failed(error);
      this.#abandon(stroke);
    } finally {
      this.#flying -= 1;
      this.#report.dirty(this.#maps.settle(segments).reduce(union, EMPTY));
    }
  }

  /**
   * A stroke that the server refused paints no further.
   * @param {Stroke} stroke
   */
  #abandon(stroke) {
    stroke.ended = true;
    stroke.points = [];
    this.#queue = this.#queue.filter((entry) => entry !== stroke);
    this.#report.dirty(this.#maps.settle(stroke.segments.splice(0)).reduce(union, EMPTY));
    stroke.resolve(null);
  }
}
