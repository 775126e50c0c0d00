/** The screens of text around the trials. */
import { reload } from "./address.js";
import { clicked, pressed } from "./buttons.js";
import { byId, make, nodesOf } from "./dom.js";
import { GAP } from "./trial.js";

const CONTROLS_HEIGHT = 260; // around the pictures; mturk.py gives a frame that much, and its scroll bars

/** @param {string[]} texts */
const paragraphs = (texts) => texts.map((text) => make("p", {}, text));

/**
 * Show a screen of text in place of whatever was there, and let screen readers begin at its title.
 * @param {string} title
 * @param {...Children} children
 */
function show(title, ...children) {
  byId("trial").hidden = true;
  const heading = make("h1", { tabindex: "-1" }, title);
  byId("screen").replaceChildren(heading, ...nodesOf(children));
  byId("screen").hidden = false;
  window.scrollTo(0, 0);
  heading.focus();
}

/** @param {string} text @param {Object<string, unknown>} [properties] */
const main = (text, properties = {}) => make("button", { type: "button", class: "main", ...properties }, text);

/**
 * Ends when the participant agrees.
 * @param {Study} study
 * @param {Source} source
 */
export async function consent(study, source) {
  const agree = main("I agree and want to take part", { disabled: Boolean(source.preview) });
  const leave = make("button", { type: "button", onclick: () => left() }, "No, thank you");
  show(study.title, paragraphs(study.consent), make("h2", {}, "What is stored"), paragraphs(study.stored),
    study.contact && [make("h2", {}, "Questions"), paragraphs([study.contact])], source.field?.(),
    source.preview && make("p", {}, make("strong", {}, source.preview)), make("div", { class: "buttons" }, agree, leave));
  do await clicked(agree); // not by Enter: nobody agrees by accident
  while (source.accepts?.() === false);
}

function left() {
  show("You have not taken part", make("p", {}, "Nothing was stored. You can close this window."));
}

/**
 * The window's size that the pair and the buttons need, in CSS pixels.
 * @param {Study} study
 */
export function neededSize(study) {
  return { width: 2 * study.width + GAP + 32, height: study.height + CONTROLS_HEIGHT };
}

const leaving = () =>
  make("button", { type: "button", class: "small", onclick: () => byId("leaving", HTMLDialogElement).showModal() }, "Leave…");

/**
 * Ends when the window is large enough; shows how large it must be until then, and to participants how to leave.
 * @param {Study} study
 */
export async function largeEnough(study, isParticipant = false) {
  const needed = neededSize(study);
  const fits = () => window.innerWidth >= needed.width && window.innerHeight >= needed.height;
  if (fits()) return;
  const sizes = make("div", { class: "sizes", "aria-hidden": "true" });
  const now = make("p", { role: "status" });
  show("Please make this window larger",
    make("p", {}, "Two pictures must fit side by side. Maximise the window or press F11. If the page is zoomed in, press Ctrl and 0 (⌘ and 0 on a Mac). On a telephone the study cannot be done."),
    sizes, now, make("p", { class: "soft" }, "The study goes on by itself as soon as the window is large enough."),
    isParticipant && make("div", { class: "buttons" }, leaving()));
  /** @type {Promise<void>} */
  const enough = new Promise((resolve) => {
    const look = () => {
      now.textContent = `It is ${windowSize()} now and must be at least ${needed.width} × ${needed.height}.`;
      compare(sizes, needed);
      if (!fits()) return;
      window.removeEventListener("resize", look);
      resolve();
    };
    window.addEventListener("resize", look);
    look();
  });
  await enough;
}

const windowSize = () => `${window.innerWidth} × ${window.innerHeight}`;

/**
 * Both sizes as frames.
 * @param {HTMLElement} element
 * @param {{ width: number, height: number }} needed
 */
function compare(element, needed) {
  const scale = 148 / Math.max(needed.height, window.innerHeight, needed.width / 3, window.innerWidth / 3);
  /** @param {string} name @param {string} text @param {number} width @param {number} height */
  const frame = (name, text, width, height) =>
    make("div", { class: name, style: `width: ${width * scale}px; height: ${height * scale}px` }, text);
  element.replaceChildren(frame("wanted", "needed", needed.width, needed.height),
    frame("", "now", window.innerWidth, window.innerHeight));
}

/** @param {Study} study @param {ParticipantSession} session @param {Frames} frames */
export async function instructions(study, session, frames) {
  const rows = [["left", "the left picture", "←"], ["right", "the right picture", "→"]];
  if (study.ties) rows.push(["tie", "you cannot tell", "↓"]);
  const keys = rows.flatMap(([, text, key]) => [
    make("dt", {}, make("kbd", {}, key)), make("dd", {}, text),
  ]);
  const begin = main(session.answered.length ? "Go on" : "Begin");
  const rate = frames.interval ? `, ${Math.round(1000 / frames.interval)} frames per second` : "";
  const back = session.answered.length > 0 && make("p", {}, make("strong", {},
    `Welcome back: ${session.answered.length} of ${study.trials} pairs are answered.`));
  show("How it goes", back, paragraphs(study.instructions),
    make("p", {}, "The question is always: ", make("strong", {}, study.question)),
    make("p", {}, study.timed ? "Answer with these keys, or click a button:" : "Answer with these keys, or click a picture or a button:"),
    make("dl", { class: "keys" }, keys), make("div", { class: "buttons" }, begin, leaving()),
    make("p", { class: "soft facts" }, `Your window: ${windowSize()} pixels, zoom ${Number((window.devicePixelRatio || 1).toFixed(2))}${rate}. It is large enough.`));
  await pressed(begin);
}

/** @param {Study} study @param {number} count */
export async function practised(study, count) {
  const begin = main("Begin");
  show("Practice is over", make("p", {}, `Now come ${study.trials - count} pairs. You are no longer told which picture is the better one; often nobody knows.`),
    make("div", { class: "buttons" }, begin));
  await pressed(begin);
}

/** @param {number} done @param {number} total */
export async function rest(done, total) {
  const on = main("Go on");
  show("Time for a short rest", make("p", {}, `${done} of ${total} pairs are done. Look away from the screen for a moment, and go on when you like.`),
    make("div", { class: "buttons" }, on, leaving()));
  await pressed(on);
}

/**
 * The participant's only name, for whoever wants to have the answers deleted when this browser has forgotten it.
 * @param {Source} source
 */
export const numberOf = (source) =>
  make("p", { class: "soft number" }, "Your number: ", make("code", {}, source.number), ", needed to have your answers deleted later.");

/**
 * The last screen; the source may want something done with the answers.
 * @param {Study} study
 * @param {Source} source
 * @param {ParticipantSession} session
 */
export function end(study, source, { code, url }) {
  const copied = make("span", { class: "soft", role: "status" });
  const copy = make("button", { type: "button", onclick: () => copyText(code, copied) }, "Copy");
  const follow = url && make("div", { class: "buttons" }, make("a", { class: "button main", href: url }, "Complete the study"));
  show("Thank you!", make("p", {}, `All ${study.trials} pairs are answered.`), source.handOver?.(),
    make("h2", {}, "Your completion code"), make("div", { class: "code" }, make("output", {}, code), copy, copied), follow,
    study.contact && [make("h2", {}, "Questions"), paragraphs([study.contact])],
    make("div", { class: "facts row" }, make("span", { class: "soft" }, source.ending ?? "Your answers have arrived. You can close this window."),
      make("button", { type: "button", class: "small", onclick: () => askToDelete(source) }, "Delete my answers…")), numberOf(source));
}

/**
 * The question of leaving, when there is nothing to go on with.
 * @param {Source} source
 */
function askToDelete(source) {
  byId("leaving-title").textContent = "Delete your answers?";
  byId("leaving-text").textContent = source.deletion ?? "All that is stored of you is deleted and does not count. Whoever pays for taking part will not find your code then.";
  byId("later").hidden = true;
  byId("stay").textContent = "Keep them";
  byId("withdraw").textContent = "Delete my answers";
  byId("leaving", HTMLDialogElement).showModal();
}

/** @param {string} text @param {HTMLElement} status */
export async function copyText(text, status) {
  try {
    await navigator.clipboard.writeText(text);
    status.textContent = "Copied.";
  } catch {
    status.textContent = "This browser does not allow copying; please select the text.";
  }
}

/** @param {string} title @param {string} text @param {HTMLElement} [button] */
export const stopped = (title, text, button) =>
  show(title, make("p", {}, text), button && make("div", { class: "buttons" }, button));

/** @param {string} text */
export const again = (text) => main(text, { onclick: reload });
