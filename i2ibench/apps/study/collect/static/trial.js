/** One trial: two pictures, a choice, and what was measured. */
import { pressed } from "./buttons.js";
import { all, byId, make } from "./dom.js";
import { expose, nextFrame } from "./exposure.js";
import { notice } from "./notices.js";
import { draw, drawNoise } from "./pictures.js";

const FIXATION = 600;
const PAUSE = 250;
/** @type {Record<string, Choice>} */
const KEYS = { ArrowLeft: "left", ArrowRight: "right", ArrowDown: "tie" };

export class TrialView {
  #study;
  #pictures;
  #frames;
  #attention;
  /** @type {((choice: Choice, at: number) => void) | null} */
  #chosen = null;

  /** @param {Study} study @param {Pictures} pictures @param {Frames} frames @param {Attention} attention */
  constructor(study, pictures, frames, attention) {
    this.#study = study;
    this.#pictures = pictures;
    this.#frames = frames;
    this.#attention = attention;
    byId("question").textContent = study.question;
    all('#choices [data-choice="tie"]')[0].hidden = !study.ties;
    for (const [name, value] of [["w", study.width], ["h", study.height], ["gap", GAP]]) {
      byId("pair").style.setProperty(`--${name}`, `${value}px`);
    }
    for (const element of all("#trial [data-choice]")) {
      element.addEventListener("click", (event) => this.#choose(/** @type {Choice} */ (element.dataset.choice), event));
    }
    window.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {number} done @param {number} total @param {boolean} isPractice */
  progress(done, total, isPractice) {
    Object.assign(byId("progress", HTMLProgressElement), { value: done, max: total });
    byId("count").textContent = `${isPractice ? "Practice: " : ""}${done + 1} of ${total}`;
  }

  /**
   * The answer to a trial: the fields that the server stores. opened() counts that it is shown.
   * @param {Trial} trial
   * @param {number} number
   * @param {() => number} opened
   */
  async run(trial, number, opened) {
    await this.#prepare(trial);
    const { start, ...exposure } = trial.seconds === null ? await this.#open(opened) : await this.#flash(trial.seconds, opened);
    const { choice, at } = await this.#choice();
    const answer = {
      trial: number, choice, response_ms: tenth(Math.max(0, at - start)), shown_ms: null, dropped: 0,
      ...exposure, frame_ms: hundredth(this.#frames.interval), unfocused_ms: tenth(this.#attention.unfocused),
      width: window.innerWidth, height: window.innerHeight, zoom: window.devicePixelRatio || 1,
    };
    if (trial.better) await this.#feedback(trial, choice);
    this.#cover(true);
    return answer;
  }

  /**
   * Pictures decoded and drawn under the veil.
   * @param {Trial} trial
   */
  async #prepare(trial) {
    this.#cover(true);
    byId("screen").hidden = true;
    byId("trial").hidden = false;
    this.#enable(false);
    const { width, height } = this.#study;
    const sides = all("#pair .picture");
    const bitmaps = await Promise.all(sides.map((side) => this.#pictures.get(side.dataset.choice === "left" ? trial.left : trial.right)));
    sides.forEach((side, at) => {
      draw(canvasIn(side, ".shown"), bitmaps[at], width, height);
      if (trial.seconds !== null) drawNoise(canvasIn(side, ".noise"), width, height);
    });
  }

  /**
   * Pictures that stay until the answer.
   * @param {() => number} opened
   */
  async #open(opened) {
    await this.#frames.watch(PAUSE);
    const start = await nextFrame();
    this.#attention.restart();
    const showings = opened();
    this.#cover(false);
    return { start, showings };
  }

  /**
   * A cross, the pictures for some frames, and noise.
   * @param {number} seconds
   * @param {() => number} opened
   */
  async #flash(seconds, opened) {
    byId("cross", SVGElement).style.visibility = "visible";
    await this.#fixated();
    let showings = 0;
    const open = () => {
      showings = opened(); // before anything is seen: a reload cannot hide it
      byId("cross", SVGElement).style.visibility = "hidden";
      this.#cover(false);
    };
    const close = () => this.#noise(true);
    const shown = await expose(open, close, seconds * 1000, this.#frames.interval);
    return { ...shown, showings, shown_ms: hundredth(shown.shown_ms) };
  }

  /** The cross was seen: its time has passed with the page in front. It begins anew after every
   * absence, and never ends where the trial was left. */
  async #fixated() {
    for (;;) {
      this.#attention.restart();
      await this.#frames.watch(FIXATION);
      const left = byId("trial").hidden;
      notice("focus", !left && !document.hasFocus() && "Please click on this page: the pictures come when it is in front.");
      if (!left && !this.#attention.unfocused) return;
    }
  }

  #choice() {
    /** @type {Promise<{ choice: Choice, at: number }>} */
    const made = new Promise((resolve) => {
      this.#enable(true);
      this.#chosen = (choice, at) => {
        this.#chosen = null;
        this.#enable(false);
        resolve({ choice, at });
      };
    });
    return made;
  }

  /** @param {Choice} choice @param {UIEvent} event */
  #choose(choice, event) {
    if (event.detail > 1) return; // of a double click the first one answered, and the trial before
    if (this.#chosen && (choice !== "tie" || this.#study.ties)) this.#chosen(choice, event.timeStamp);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const choice = KEYS[event.key];
    if (!choice || byId("trial").hidden || byId("leaving", HTMLDialogElement).open) return;
    if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    event.preventDefault(); // arrows would scroll
    if (!event.repeat) this.#choose(choice, event);
  }

  /**
   * After a practice trial both pictures are shown, and which is the better one.
   * @param {Trial} trial
   * @param {Choice} choice
   */
  async #feedback(trial, choice) {
    this.#noise(false);
    this.#cover(false);
    const side = all(`#pair [data-choice="${trial.better}"]`)[0];
    side.classList.add("better");
    const button = make("button", { type: "button" }, "Continue");
    const right = choice === trial.better;
    const text = `${right ? "Right: the" : "The"} ${trial.better} picture is the better one.`;
    byId("feedback").replaceChildren(make("p", {}, text), button);
    button.focus();
    await pressed(button);
    side.classList.remove("better");
    byId("feedback").replaceChildren();
  }

  /** @param {boolean} on */
  #enable(on) {
    byId("trial").classList.toggle("open", on);
    for (const button of byId("choices").querySelectorAll("button")) button.disabled = !on;
  }

  /** @param {boolean} on */
  #cover(on) {
    for (const veil of all(".veil")) veil.style.visibility = on ? "visible" : "hidden";
    if (on) this.#noise(false);
  }

  /** @param {boolean} on */
  #noise(on) {
    byId("trial").classList.toggle("covered", on);
    for (const noise of all(".noise")) noise.style.visibility = on ? "visible" : "hidden";
  }
}

/** CSS pixels between the pictures, and around the pair at least. */
export const GAP = 24;

/** @param {number} value */
const tenth = (value) => Math.round(value * 10) / 10;
/** @param {number} value */
const hundredth = (value) => Math.round(value * 100) / 100;

/**
 * @param {HTMLElement} side
 * @param {string} selector
 */
function canvasIn(side, selector) {
  return /** @type {HTMLCanvasElement} */ (side.querySelector(selector));
}
