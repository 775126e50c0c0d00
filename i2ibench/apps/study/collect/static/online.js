/** The page of a server: sessions and answers go there. */
import { run } from "./main.js";
import { Memory } from "./memory.js";
import { getBlob, getJson, persist, post } from "./network.js";
import { Outbox } from "./outbox.js";
import { Showings } from "./showings.js";

const TOKEN = "token";

class Server {
  #memory;
  #outbox;
  #showings;
  /** @type {ParticipantSession | null} null before the page has entered */
  #current = null;

  /** @param {Study} study */
  constructor(study) {
    this.study = study;
    this.#memory = new Memory(study.id);
    this.lasting = this.#memory.lasting;
    this.#showings = new Showings(this.#memory);
    this.#outbox = new Outbox(this.#memory, (entry) => post("api/answer", entry));
  }

  get pending() {
    return this.#outbox.busy;
  }

  /** @returns {ParticipantSession} */
  get #session() {
    if (!this.#current) throw new Error("The page has not entered the study yet.");
    return this.#current;
  }

  get number() {
    return this.#session.token;
  }

  /** Let somebody else begin in this browser. */
  renew() {
    this.#memory.remove(TOKEN);
  }

  /** Where the participant of this window stands, after what older windows left has arrived. */
  async enter() {
    for (;;) {
      /** @type {string | null} */
      const token = this.#current?.consented ? this.#current.token : this.#memory.get(TOKEN);
      await this.#outbox.sendOthers(token);
      this.#current = await enter(token);
      if (!this.#session.consented && token) this.#outbox.forget(token);
      this.#outbox.adopt(this.#session);
      if (!this.#outbox.waiting) return this.#session;
      await this.#outbox.sent();
    }
  }

  /** A new session, or that of whoever agreed in another window meanwhile. */
  async consent() {
    if (this.#memory.get(TOKEN) && (await this.enter()).consented) return this.#session;
    const { token, nonce } = this.#session;
    this.#current = await persist(() => post("api/consent", { token, nonce }));
    this.#memory.set(TOKEN, token);
    this.#outbox.adopt(this.#session);
    return this.#session;
  }

  /**
   * The pictures of a trial are shown now; gives how often that makes.
   * @param {number} trial
   */
  opened(trial) {
    return this.#showings.add(this.#session.token, trial);
  }

  /**
   * Keep an answer, and send it; rejects if the server refuses it.
   * @param {Answer} answer
   */
  answer(answer) {
    this.#outbox.add(answer);
    return this.#outbox.sent();
  }

  /** The last receipt, when every answer has arrived. */
  settled() {
    return this.#outbox.sent();
  }

  /** @param {string} id */
  blob(id) {
    return persist(() => getBlob(`pictures/${id}.png`));
  }

  async withdraw() {
    const { token } = this.#session;
    this.#outbox.forget(token);
    this.#showings.forget(token);
    await persist(() => post("api/withdraw", { token }));
    if (this.#memory.get(TOKEN) === token) this.renew();
  }
}

/**
 * @param {string | null} token
 * @returns {Promise<ParticipantSession>}
 */
const enter = (token) => persist(() => post("api/enter", token ? { token } : {}));

run(async () => new Server(await persist(() => getJson("api/study"))));
