/** The course of a session: consent, instructions, trials, end. */
import { Attention } from "./attention.js";
import { byId, messageOf } from "./dom.js";
import { Frames } from "./exposure.js";
import { Refusal } from "./network.js";
import { notice } from "./notices.js";
import { Pictures } from "./pictures.js";
import * as screens from "./screens.js";
import { TrialView } from "./trial.js";

const AHEAD = 3;
const REST_EVERY = 50;
const REST_BEFORE_END = 15;

/**
 * Lead a participant through the study of a source: a server, or the page's own file.
 *
 * A source has open(), renew(), enter(), consent(), opened(trial), answer(answer), settled(), blob(id),
 * withdraw(), lasting, pending and number; it may have preview, field(), accepts() for the first
 * screen, and handOver(), ending and deletion for the last. ?new in the address lets another participant begin in the same browser.
 * @param {() => Promise<Source>} open
 */
export async function run(open) {
  try {
    const source = await open();
    const { study } = source;
    document.title = study.title;
    if (!source.lasting) notice("memory", "This browser keeps nothing between visits: please do not reload the page before the end.");
    startAnew(source);
    await new Course(study, source).run();
  } catch (error) {
    stop(error);
  }
}

/**
 * ?new is taken out of the address, so that a reload continues.
 * @param {Source} source
 */
function startAnew(source) {
  const address = new URL(location.href);
  if (!address.searchParams.has("new")) return;
  source.renew();
  address.searchParams.delete("new");
  history.replaceState(null, "", address);
}

/** @param {unknown} error */
function stop(error) {
  byId("leaving", HTMLDialogElement).close();
  const status = error instanceof Refusal ? error.status : null;
  if (status === 409) {
    screens.stopped("Continued in another window", "You went on with this study in another window or tab. Please use that one, or go on here instead.",
      screens.again("Go on here"));
  } else {
    screens.stopped("The study stopped", messageOf(error), screens.again("Try again"));
    if (status === null) console.error(error);
  }
}

class Course {
  #study;
  #source;
  #frames = new Frames();
  #attention = new Attention();
  #pictures;
  #view;
  #over = false;

  /** @param {Study} study @param {Source} source */
  constructor(study, source) {
    this.#study = study;
    this.#source = source;
    this.#pictures = new Pictures((id) => source.blob(id));
    this.#view = new TrialView(study, this.#pictures, this.#frames, this.#attention);
    this.#listen();
  }

  async run() {
    const measured = this.#frames.watch(0);
    let session = await this.#source.enter();
    if (!session.consented) {
      await screens.largeEnough(this.#study); // nobody agrees who then cannot take part
      await screens.consent(this.#study, this.#source);
      session = await this.#source.consent();
    }
    await measured;
    if (!session.finished) await this.#prepare(session);
    while (!session.finished) {
      if (!this.#over) await this.#trials(session);
      if (this.#over) return; // entering would take the session from another window
      session = await this.#source.enter();
      if (!session.consented) throw new Refusal(404, "Your answers were deleted in another window.");
    }
    screens.end(this.#study, this.#source, session);
  }

  /** @param {ParticipantSession} session */
  async #prepare(session) {
    this.#prefetch(this.#remaining(session), 0);
    await screens.largeEnough(this.#study, true);
    if (this.#over) return;
    await screens.instructions(this.#study, session, this.#frames);
  }

  /** @param {ParticipantSession} session */
  #remaining(session) {
    const answered = new Set(session.answered);
    return session.trials.map((trial, number) => ({ trial, number })).filter(({ number }) => !answered.has(number));
  }

  /** @param {ParticipantSession} session */
  async #trials(session) {
    const remaining = this.#remaining(session);
    const total = session.trials.length;
    for (const [at, { trial, number }] of remaining.entries()) {
      this.#prefetch(remaining, at);
      await this.#pause(remaining, at, total);
      await screens.largeEnough(this.#study, true);
      if (this.#over) return; // the last answer may have been refused meanwhile
      this.#view.progress(total - remaining.length + at, total, Boolean(trial.better));
      const answer = await this.#view.run(trial, number, () => this.#source.opened(number));
      if (this.#over) return;
      this.#source.answer(answer).catch((/** @type {unknown} */ error) => this.#refused(error));
    }
    await this.#source.settled();
  }

  /**
   * What is said between two trials: the practice is over, or a rest is due.
   * @param {NumberedTrial[]} remaining
   * @param {number} at
   * @param {number} total
   */
  async #pause(remaining, at, total) {
    if (!at) return;
    if (remaining[at - 1].trial.better && !remaining[at].trial.better) await screens.practised(this.#study, remaining[at].number);
    else if (at % REST_EVERY === 0 && remaining.length - at >= REST_BEFORE_END) await screens.rest(total - remaining.length + at, total);
  }

  /** @param {NumberedTrial[]} remaining @param {number} at */
  #prefetch(remaining, at) {
    this.#pictures.want(remaining.slice(at, at + 1 + AHEAD).flatMap(({ trial }) => [trial.left, trial.right]));
  }

  /** @param {unknown} error */
  #refused(error) {
    if (!this.#over) stop(error);
    this.#over = true;
  }

  #listen() {
    const dialog = byId("leaving", HTMLDialogElement);
    byId("leave").addEventListener("click", () => dialog.showModal());
    byId("stay").addEventListener("click", () => dialog.close());
    new MutationObserver(() => {
      this.#attention.question = dialog.open;
      if (dialog.open) byId("number").replaceChildren(screens.numberOf(this.#source));
    }).observe(dialog, { attributeFilter: ["open"] });
    byId("later").addEventListener("click", () => {
      this.#over = true;
      dialog.close();
      screens.stopped("See you later", "Your answers up to now are kept. Open this page again in this browser to go on.", screens.again("Go on now"));
    });
    byId("withdraw").addEventListener("click", () => this.#withdraw(dialog));
    window.addEventListener("beforeunload", (event) => this.#source.pending && event.preventDefault());
  }

  /** @param {HTMLDialogElement} dialog */
  async #withdraw(dialog) {
    this.#over = true;
    dialog.close();
    try {
      await this.#source.withdraw();
      screens.stopped("Your answers are deleted", this.#source.deletion ? "This browser keeps nothing of them. You can close this window." : "Nothing of you is stored any more. You can close this window.");
    } catch (error) {
      stop(error);
    }
  }
}
