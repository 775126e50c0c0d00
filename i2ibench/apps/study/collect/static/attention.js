/** Attention: for how long the page was hidden, or another window or a question in front of it. */

export class Attention {
  #total = 0;
  /** @type {number | null} */
  #awaySince = null;
  #question = false;

  constructor() {
    for (const name of ["blur", "focus"]) window.addEventListener(name, () => this.#look(name === "blur"));
    document.addEventListener("visibilitychange", () => this.#look());
  }

  /** Count from now on. */
  restart() {
    this.#total = 0;
    this.#awaySince = null;
    this.#look();
  }

  /**
   * Whether the page itself has put a question in front.
   * @param {boolean} open
   */
  set question(open) {
    this.#question = open;
    this.#look();
  }

  /** Milliseconds since the restart. */
  get unfocused() {
    this.#look();
    return this.#total + (this.#awaySince === null ? 0 : performance.now() - this.#awaySince);
  }

  #look(blurred = !document.hasFocus()) {
    const away = blurred || document.hidden || this.#question;
    if (away && this.#awaySince === null) this.#awaySince = performance.now();
    if (!away && this.#awaySince !== null) {
      this.#total += performance.now() - this.#awaySince;
      this.#awaySince = null;
    }
  }
}
