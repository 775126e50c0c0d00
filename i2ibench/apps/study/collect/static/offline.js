/** The page as one file: plans and pictures are in it, answers stay here until they are handed over. */
import { asked } from "./address.js";
import { byId, make } from "./dom.js";
import { run } from "./main.js";
import { Memory } from "./memory.js";
import { Refusal } from "./network.js";
import { copyText } from "./screens.js";
import { Showings } from "./showings.js";

const TOKEN = "token";
const PREVIEW = "ASSIGNMENT_ID_NOT_AVAILABLE";
const MTURK = ["https://www.mturk.com", "https://workersandbox.mturk.com"];

/**
 * @typedef {object} Data what export_page writes into the file
 * @property {Study} study
 * @property {string} hash
 * @property {Trial[][]} plans
 * @property {string} code
 * @property {string} url
 */

class OwnFile {
  /** @type {Data} */
  #data = JSON.parse(byId("study-data").textContent ?? "");
  study = this.#data.study;
  #memory = new Memory(this.study.id);
  #showings = new Showings(this.#memory);
  #window = randomName();
  #handed = false;
  /** @type {string | null} */
  #token = null;
  /** @type {HTMLInputElement | null} */
  #slotInput = null;
  lasting = this.#memory.lasting;
  deletion = "They are deleted from this browser. What you have handed over is not: please write to the people who run this study.";
  ending = "You may close this window when your answers are handed over.";

  constructor() {
    const slot = asked.get("slot");
    if (slot !== null && !this.#isSlot(slot)) {
      throw new Refusal(400, `This address asks for plan ${slot}; the page has the plans 0 to ${this.#data.plans.length - 1}.`);
    }
    const submit = asked.get("turkSubmitTo");
    if (submit !== null && !MTURK.includes(new URL(submit).origin)) {
      throw new Refusal(400, `This address sends answers to ${submit}, which is not Mechanical Turk.`);
    }
  }

  get preview() {
    return asked.get("assignmentId") === PREVIEW && "This is a preview. Accept the task to take part.";
  }

  get pending() {
    return this.#finished && !this.#handed;
  }

  get number() {
    return this.#token;
  }

  get #name() {
    return `sitting-${this.#token}`;
  }

  /** @returns {KeptSession | null} */
  get #kept() {
    return this.#memory.get(this.#name);
  }

  get #session() {
    const session = this.#kept;
    if (!session) throw new Refusal(404, "The answers were deleted in another window.");
    return session;
  }

  get #finished() {
    return this.#kept?.answers.length === this.study.trials;
  }

  /** @param {string} text */
  #isSlot(text) {
    return /^\d+$/.test(text) && Number(text) < this.#data.plans.length;
  }

  renew() {
    this.#memory.remove(TOKEN); // the session itself stays: nobody has handed it over, perhaps
  }

  async enter() {
    this.#token ??= this.#memory.get(TOKEN); // another window may have another participant by now
    const session = this.#kept;
    const nobody = { token: "", nonce: "", code: "", url: "" };
    if (!session) return { ...nobody, consented: false, finished: false, answered: [], trials: [] };
    this.#memory.set(this.#name, { ...session, window: this.#window });
    const code = this.#finished ? this.#data.code || session.token.slice(0, 10).toUpperCase() : "";
    return {
      token: session.token, nonce: "", consented: true, finished: this.#finished, answered: session.answers.map(({ trial }) => trial),
      trials: this.#data.plans[session.slot], code, url: code && this.#data.url.replaceAll("{code}", encodeURIComponent(code)),
    };
  }

  /** A field for the number of the plan, where the address does not tell it. */
  field() {
    if (asked.has("slot") || this.#data.plans.length < 2) return null;
    const last = this.#data.plans.length - 1;
    this.#slotInput = make("input", { type: "number", min: 0, max: last, step: 1, inputmode: "numeric" });
    return make("p", {}, make("label", {}, `If you were given a number from 0 to ${last}:`, this.#slotInput));
  }

  /** Whether what was typed is a plan; the browser says so if not. */
  accepts() {
    return this.#slotInput?.reportValidity() ?? true;
  }

  /** A new session, or that of whoever agreed in another window meanwhile. */
  async consent() {
    const meanwhile = await this.enter();
    if (meanwhile.consented) return meanwhile;
    const given = asked.get("slot") ?? this.#slotInput?.value ?? "";
    const slot = given === "" ? Math.floor(Math.random() * this.#data.plans.length) : Number(given);
    const token = randomName();
    this.#token = token;
    this.#memory.set(TOKEN, token);
    const begun = new Date().toISOString().slice(0, 10);
    this.#memory.set(this.#name, { token, slot, begun, window: this.#window, answers: [] });
    return this.enter();
  }

  /**
   * The pictures of a trial are shown now; gives how often that makes.
   * @param {number} trial
   */
  opened(trial) {
    return this.#showings.add(this.#session.token, trial);
  }

  /** @param {Answer} answer */
  async answer(answer) {
    const session = this.#session;
    if (session.window !== this.#window) throw new Refusal(409, "The sitting was continued in another window.");
    if (session.answers.some(({ trial }) => trial === answer.trial)) return;
    this.#memory.set(this.#name, { ...session, answers: [...session.answers, answer] });
  }

  async settled() {}

  /** @param {string} id */
  async blob(id) {
    const bytes = atob(byId(`picture-${id}`).textContent ?? "");
    return new Blob([Uint8Array.from(bytes, (character) => character.charCodeAt(0))], { type: "image/png" });
  }

  async withdraw() {
    this.#memory.remove(this.#name);
    if (this.#token) this.#showings.forget(this.#token);
    if (this.#memory.get(TOKEN) === this.#token) this.#memory.remove(TOKEN);
  }

  /** The answers file, as answer_files.py reads it. */
  get #file() {
    const { token, slot, begun, answers } = this.#session;
    return JSON.stringify({ study: this.#data.hash, token, slot, simulated: false, consented: true, begun, answers });
  }

  /** What a participant does with the answers at the end. */
  handOver() {
    if (asked.has("assignmentId")) return this.#mturkForm();
    const status = make("span", { class: "soft", role: "status" });
    const href = URL.createObjectURL(new Blob([this.#file], { type: "application/json" }));
    const handed = () => (this.#handed = true);
    return [
      make("p", {}, make("strong", {}, "Please hand them over:"), " save the file with your answers and give it to the people who run this study."),
      make("div", { class: "buttons" },
        make("a", { class: "button main", id: "download", href, download: `answers-${this.#session.token.slice(0, 8)}.json`, onclick: handed }, "Save my answers"),
        make("button", { type: "button", onclick: () => { handed(); copyText(this.#file, status); } }, "Copy them as text"), status),
    ];
  }

  #mturkForm() {
    const action = new URL("/mturk/externalSubmit", asked.get("turkSubmitTo") ?? MTURK[0]);
    /** @param {string} name @param {string | null} value */
    const field = (name, value) => make("input", { type: "hidden", name, value });
    return make("form", { method: "post", action, onsubmit: () => (this.#handed = true) },
      field("assignmentId", asked.get("assignmentId")), field("answers", this.#file),
      make("div", { class: "buttons" }, make("button", { class: "main" }, "Submit my answers")));
  }
}

function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

run(async () => new OwnFile());
