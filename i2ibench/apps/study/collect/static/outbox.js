/** Answers on their way: kept in the browser until the server has acknowledged them, sent in order.
 *
 * Each stands under the token of the participant who gave it: a browser may have had several. */
import { persist, Refusal } from "./network.js";

const NAME = "outbox";

export class Outbox {
  #memory;
  #send;
  #own = { token: "", nonce: "" };
  /** @type {Promise<Receipt | null> | null} */
  #sending = null;

  /**
   * send({token, nonce, answer}) gives the server's receipt.
   * @param {Memory} memory
   * @param {(entry: Entry) => Promise<Receipt>} send
   */
  constructor(memory, send) {
    this.#memory = memory;
    this.#send = send;
    /** @type {Receipt | null} */
    this.receipt = null;
  }

  /** @returns {Entry[]} */
  get #entries() {
    return this.#memory.get(NAME) ?? [];
  }

  /** Whether answers of this window are being sent. */
  get busy() {
    return this.#sending !== null;
  }

  /** Whether this window has answers to send. */
  get waiting() {
    return Boolean(this.#first);
  }

  /**
   * This window sends from now on what its participant gave in older ones.
   * @param {ParticipantSession} session
   */
  adopt({ token, nonce }) {
    this.#own = { token, nonce };
    this.#memory.set(NAME, this.#entries.map((entry) => (entry.token === token ? { ...entry, nonce } : entry)));
  }

  /** @param {Answer} answer */
  add(answer) {
    this.#memory.set(NAME, [...this.#entries, { ...this.#own, answer }]);
  }

  /**
   * Drop what a participant gave.
   * @param {string} token
   */
  forget(token) {
    this.#keep((entry) => entry.token !== token);
  }

  /** Send all there is of this window; gives the last receipt. Rejects if the server refuses an answer. */
  sent() {
    this.#sending ??= this.#sendAll().finally(() => (this.#sending = null));
    return this.#sending;
  }

  /**
   * Send what other participants than this one left in this browser, as far as the server takes it.
   * @param {string | null} token
   */
  async sendOthers(token) {
    for (const entry of this.#entries.filter((other) => other.token !== token)) {
      try {
        await this.#deliver(entry);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        if (error.status === 404 && error.known) this.forget(entry.token); // their answers were deleted
      }
    }
  }

  get #first() {
    const { token, nonce } = this.#own;
    return this.#entries.find((entry) => entry.token === token && entry.nonce === nonce);
  }

  async #sendAll() {
    for (let entry = this.#first; entry; entry = this.#first) this.receipt = await this.#deliver(entry);
    return this.receipt;
  }

  /**
   * The receipt. What is refused stays for another try, unless the answer itself is wrong.
   * @param {Entry} entry
   */
  async #deliver(entry) {
    try {
      const receipt = await persist(() => this.#send(entry));
      this.#drop(entry);
      return receipt;
    } catch (error) {
      if (error instanceof Refusal && error.status === 400 && error.known) this.#drop(entry);
      throw error;
    }
  }

  /** @param {Entry} entry */
  #drop({ token, answer }) {
    this.#keep((other) => other.token !== token || other.answer.trial !== answer.trial);
  }

  /**
   * The storage is read again each time: another window may have written meanwhile.
   * @param {(entry: Entry) => boolean} stays
   */
  #keep(stays) {
    this.#memory.set(NAME, this.#entries.filter(stays));
  }
}
