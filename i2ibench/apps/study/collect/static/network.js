/** Requests: what fails for want of a connection is done again until it works, and a notice says so. */
import { notice } from "./notices.js";

const FIRST_WAIT = 500;
const LONGEST_WAIT = 8000;
const DISK_FULL = 507;
const TEMPORARY = [408, 425, 429]; // said by what stands between, such as a proxy; later it may work

/** The server understood and said no; asking again would not help.
 *
 * `known` tells whether the study's own server said it, rather than something on the way there. */
export class Refusal extends Error {
  /** @param {number} status @param {string} [message] */
  constructor(status, message) {
    super(message ?? `The server answers with ${status}.`);
    this.status = status;
    this.known = message !== undefined;
  }
}

/**
 * The answer to a request as JSON, or a Refusal.
 * @param {string} path
 * @param {unknown} message
 */
export async function post(path, message) {
  const body = JSON.stringify(message);
  return (await asked(path, { method: "POST", headers: { "Content-Type": "application/json" }, body })).json();
}

/** @param {string} path */
export const getJson = async (path) => (await asked(path)).json();
/** @param {string} path */
export const getBlob = async (path) => (await asked(path)).blob();

/** @param {string} path @param {RequestInit} [options] */
async function asked(path, options = {}) {
  const answer = await fetch(path, { ...options, signal: AbortSignal.timeout(20000) });
  if (answer.ok) return answer;
  const text = await answer.text();
  throw new Refusal(answer.status, messageIn(text));
}

/** @param {string} text */
function messageIn(text) {
  try {
    return JSON.parse(text).error;
  } catch {
    return undefined;
  }
}

/** @param {Refusal} refusal */
const mayPass = ({ status }) => status >= 500 || TEMPORARY.includes(status);

const NO_CONNECTION = "There is no connection to the study's server. Your answers are kept in this browser and are sent when it is back; please leave the page open.";
const KEPT = "Your answers are kept in this browser and are sent when it works again; please leave the page open.";

/**
 * Return what a participant reads while a request is done again.
 * @param {unknown} error
 */
const reasonOf = (error) =>
  error instanceof Refusal && error.status === DISK_FULL && error.known ? `${error.message} ${KEPT}` : NO_CONNECTION;

let waiting = 0;

/**
 * What a request gives at last; only a Refusal ends the trying.
 * @template T
 * @param {() => Promise<T>} request
 * @returns {Promise<T>}
 */
export async function persist(request) {
  let wait = FIRST_WAIT;
  let late = false;
  let reason = "";
  try {
    for (;;) {
      try {
        return await request();
      } catch (error) {
        if (error instanceof Refusal && !mayPass(error)) throw error;
        reason = reasonOf(error);
      }
      if (!late) waiting += 1;
      late = true;
      tell(reason);
      await pause(wait);
      wait = Math.min(wait * 2, LONGEST_WAIT);
    }
  } finally {
    if (late) waiting -= 1;
    if (late && !waiting) tell("");
  }
}

/** @param {string} text */
function tell(text) {
  notice("network", text);
}

/**
 * Wait, but no longer than until the browser says that the network is back.
 * @param {number} milliseconds
 */
function pause(milliseconds) {
  /** @type {Promise<void>} */
  const over = new Promise((resolve) => {
    const go = () => {
      window.removeEventListener("online", go);
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(go, milliseconds);
    window.addEventListener("online", go);
  });
  return over;
}
