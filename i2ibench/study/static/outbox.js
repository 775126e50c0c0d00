/** Answers on their way: kept in the browser until the server has acknowledged them, sent in order. */
import { persist } from "./network.js";

const NAME = "outbox";

export class Outbox {
  #memory;
  #send;
  #window = "";
  #sending = null;

  /** send(answer) gives the server's receipt. */
  constructor(memory, send) {
    this.#memory = memory;
    this.#send = send;
    this.receipt = null;
  }

  get #entries() {
    return this.#memory.get(NAME) ?? [];
  }

  /** The trials whose answers are not acknowledged yet. */
  get trials() {
    return this.#entries.map((entry) => entry.answer.trial);
  }

  /** This window sends from now on what an older one left. */
  adopt(windowName) {
    this.#window = windowName;
    this.#memory.set(NAME, this.#entries.map(({ answer }) => ({ window: windowName, answer })));
  }

  add(answer) {
    this.#memory.set(NAME, [...this.#entries, { window: this.#window, answer }]);
  }

  clear() {
    this.#memory.remove(NAME);
  }

  /** Send all there is; gives the last receipt. Rejects if the server refuses an answer. */
  sent() {
    this.#sending ??= this.#sendAll().finally(() => (this.#sending = null));
    return this.#sending;
  }

  get #first() {
    return this.#entries.find((entry) => entry.window === this.#window);
  }

  async #sendAll() {
    for (let entry = this.#first; entry; entry = this.#first) {
      try {
        this.receipt = await persist(() => this.#send(entry.answer));
      } catch (error) {
        this.#keep((other) => other.window !== this.#window);
        throw error;
      }
      this.#keep((other) => other.window !== this.#window || other.answer.trial !== entry.answer.trial);
    }
    return this.receipt;
  }

  /** The storage is read again each time: another window may have written meanwhile. */
  #keep(stays) {
    this.#memory.set(NAME, this.#entries.filter(stays));
  }
}
