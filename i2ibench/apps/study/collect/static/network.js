/** Requests: what fails for want of a connection is done again until it works, and a notice says so. */
import { notice } from "./dom.js";

const FIRST_WAIT = 500;
const LONGEST_WAIT = 8000;
const DISK_FULL = 507;
const TEMPORARY = [408, 425, 429]; // said by what stands between, such as a proxy; later it may work

/** The server understood and said no; asking again would not help.
 *
 * `known` tells whether the study's own server said it, rather than something on the way there. */
export class Refusal extends Error {
  constructor(status, message) {
    super(message ?? `The server answers with ${status}.`);
    this.status = status;
    this.known = message !== undefined;
  }
}

/** The answer to a request as JSON, or a Refusal. */
export async function post(path, message) {
  const body = JSON.stringify(message);
  return (await asked(path, { method: "POST", headers: { "Content-Type": "application/json" }, body })).json();
}

export const getJson = async (path) => (await asked(path)).json();
export const getBlob = async (path) => (await asked(path)).blob();

async function asked(path, options = {}) {
  const answer = await fetch(path, { ...options, signal: AbortSignal.timeout(20000) });
  if (answer.ok) return answer;
  const text = await answer.text();
  throw new Refusal(answer.status, messageIn(text));
}

function messageIn(text) {
  try {
    return JSON.parse(text).error;
  } catch {
    return undefined;
  }
}

const mayPass = ({ status }) => status >= 500 || TEMPORARY.includes(status);

const NO_CONNECTION = "There is no connection to the study's server. Your answers are kept in this browser and are sent when it is back; please leave the page open.";
const KEPT = "Your answers are kept in this browser and are sent when it works again; please leave the page open.";

/** What a participant reads while a request is done again. */
const reasonOf = ({ status, known, message }) => (status === DISK_FULL && known ? `${message} ${KEPT}` : NO_CONNECTION);

let waiting = 0;

/** What a request gives at last; only a Refusal ends the trying. */
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

function tell(text) {
  notice("network", text);
}

/** Wait, but no longer than until the browser says that the network is back. */
function pause(milliseconds) {
  return new Promise((resolve) => {
    const go = () => {
      window.removeEventListener("online", go);
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(go, milliseconds);
    window.addEventListener("online", go);
  });
}
