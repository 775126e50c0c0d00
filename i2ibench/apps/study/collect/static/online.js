/** The page of a server: sittings and answers go there. */
import { run } from "./main.js";
import { Memory } from "./memory.js";
import { getBlob, getJson, persist, post } from "./network.js";
import { Outbox } from "./outbox.js";
import { Showings } from "./showings.js";

const TOKEN = "token";

class Server {
  #memory = null;
  #sitting = null;
  #outbox = null;
  #showings = null;

  async open() {
    const study = await persist(() => getJson("api/study"));
    this.#memory = new Memory(study.id);
    this.lasting = this.#memory.lasting;
    this.#showings = new Showings(this.#memory);
    this.#outbox = new Outbox(this.#memory, (entry) => post("api/answer", entry));
    return study;
  }

  get pending() {
    return this.#outbox?.busy;
  }

  get number() {
    return this.#sitting.token;
  }

  /** Let somebody else begin in this browser. */
  renew() {
    this.#memory.remove(TOKEN);
  }

  /** Where the participant of this window stands, after what older windows left has arrived. */
  async enter() {
    for (;;) {
      const token = this.#sitting?.consented ? this.#sitting.token : this.#memory.get(TOKEN);
      await this.#outbox.sendOthers(token);
      this.#sitting = await persist(() => post("api/enter", token ? { token } : {}));
      if (!this.#sitting.consented) this.#outbox.forget(token);
      this.#outbox.adopt(this.#sitting);
      if (!this.#outbox.waiting) return this.#sitting;
      await this.#outbox.sent();
    }
  }

  /** A new sitting, or that of whoever agreed in another window meanwhile. */
  async consent() {
    if (this.#memory.get(TOKEN) && (await this.enter()).consented) return this.#sitting;
    const { token, nonce } = this.#sitting;
    this.#sitting = await persist(() => post("api/consent", { token, nonce }));
    this.#memory.set(TOKEN, token);
    this.#outbox.adopt(this.#sitting);
    return this.#sitting;
  }

  /** The pictures of a trial are shown now; gives how often that makes. */
  opened(trial) {
    return this.#showings.add(this.#sitting.token, trial);
  }

  /** Keep an answer, and send it; rejects if the server refuses it. */
  answer(answer) {
    this.#outbox.add(answer);
    return this.#outbox.sent();
  }

  /** The last receipt, when every answer has arrived. */
  settled() {
    return this.#outbox.sent();
  }

  blob(id) {
    return persist(() => getBlob(`pictures/${id}.png`));
  }

  async withdraw() {
    const { token } = this.#sitting;
    this.#outbox.forget(token);
    this.#showings.forget(token);
    await persist(() => post("api/withdraw", { token }));
    if (this.#memory.get(TOKEN) === token) this.renew();
  }
}

run(new Server());
