/** Zoom and pan, shared by both panes, and which way the panes lie. */

const CLOSEST = 32;
const MARGIN = 10;

/** @typedef {{ clientX: number, clientY: number, currentTarget?: EventTarget | null }} Position */

export class View extends EventTarget {
  scale = 1;
  x = 0;
  y = 0;
  #stage;
  #pane;
  #size = { width: 0, height: 0 };
  #fitted = true;
  #layout = localStorage.getItem("i2ibench-layout") ?? "auto";

  /**
   * stage holds the panes; both have the size of `pane`.
   * @param {HTMLElement} stage
   * @param {HTMLElement} pane
   */
  constructor(stage, pane) {
    super();
    this.#stage = stage;
    this.#pane = pane;
    new ResizeObserver(() => this.#arrange()).observe(stage);
    new ResizeObserver(() => (this.#fitted ? this.fit() : this.#changed())).observe(pane);
  }

  /** @param {number} width @param {number} height */
  setScene(width, height) {
    this.#size = { width, height };
    this.#stage.style.setProperty("--aspect", String(width / height));
    this.#arrange();
    this.fit();
  }

  /**
   * The pixel under a mouse event.
   * @param {Position} event
   */
  pixel(event) {
    const area = this.#pane.getBoundingClientRect();
    const pane = event.currentTarget instanceof Element ? event.currentTarget.getBoundingClientRect() : area;
    return {
      x: Math.floor((event.clientX - pane.left - this.x) / this.scale),
      y: Math.floor((event.clientY - pane.top - this.y) / this.scale),
    };
  }

  /** Show the whole scene, in the middle. */
  fit() {
    const { width, height } = this.#size;
    if (!width || !this.#pane.clientWidth) return;
    this.scale = this.#fitting(this.#pane.clientWidth, this.#pane.clientHeight);
    this.x = Math.round((this.#pane.clientWidth - width * this.scale) / 2);
    this.y = Math.round((this.#pane.clientHeight - height * this.scale) / 2);
    this.#fitted = true;
    this.#changed();
  }

  /**
   * Zoom by a factor around a point of the pane; its middle if none is given.
   * @param {number} factor
   * @param {number} [x]
   * @param {number} [y]
   */
  zoom(factor, x = this.#pane.clientWidth / 2, y = this.#pane.clientHeight / 2) {
    const least = this.#fitting(this.#pane.clientWidth, this.#pane.clientHeight) / 2;
    const scale = Math.min(Math.max(this.scale * factor, least), CLOSEST);
    this.x = Math.round(x - ((x - this.x) * scale) / this.scale);
    this.y = Math.round(y - ((y - this.y) * scale) / this.scale);
    this.scale = scale;
    this.#fitted = false;
    this.#keepInSight();
  }

  /** @param {number} dx @param {number} dy */
  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.#fitted = false;
    this.#keepInSight();
  }

  /** Lay the panes the other way than now, and remember that. */
  turn() {
    this.#layout = this.#stage.classList.contains("stacked") ? "beside" : "stacked";
    localStorage.setItem("i2ibench-layout", this.#layout);
    this.#arrange();
    this.fit();
  }

  /** Beside or under each other, whichever shows the scene larger. */
  #arrange() {
    const { clientWidth: width, clientHeight: height } = this.#stage;
    if (!this.#size.width || !width) return;
    const stacked =
      this.#layout === "auto"
        ? this.#fitting(width, height / 2) > this.#fitting(width / 2, height)
        : this.#layout === "stacked";
    this.#stage.classList.toggle("stacked", stacked);
  }

  /** @param {number} width @param {number} height */
  #fitting(width, height) {
    const across = (width - 2 * MARGIN) / this.#size.width;
    const down = (height - 2 * MARGIN) / this.#size.height;
    return Math.max(Math.min(across, down, CLOSEST), 0.01);
  }

  #keepInSight() {
    const shown = 40;
    const { width, height } = this.#size;
    const right = this.#pane.clientWidth - shown;
    const bottom = this.#pane.clientHeight - shown;
    this.x = Math.min(Math.max(this.x, shown - width * this.scale), right);
    this.y = Math.min(Math.max(this.y, shown - height * this.scale), bottom);
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
