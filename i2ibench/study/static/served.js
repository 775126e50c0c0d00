/** The page of a server: sittings and answers go there. */
import { run } from "./main.js";
import { Memory } from "./memory.js";
import { getBlob, getJson, persist, post } from "./network.js";
import { Outbox } from "./outbox.js";

const TOKEN = "token";

class Server {
  #memory = null;
  #sitting = null;
  #outbox = null;

  async open() {
    const study = await persist(() => getJson("api/study"));
    this.#memory = new Memory(study.id);
    this.lasting = this.#memory.lasting;
    this.#outbox = new Outbox(this.#memory, (answer) => post("api/answer", { ...this.#names, answer }));
    return study;
  }

  get #names() {
    return { token: this.#sitting.token, nonce: this.#sitting.nonce };
  }

  get pending() {
    return this.#outbox?.trials.length ?? 0;
  }

  /** Let somebody else begin in this browser. */
  renew() {
    this.#memory.remove(TOKEN);
    this.#outbox.clear();
  }

  /** Where this browser's participant stands, after what an older window left has arrived. */
  async enter() {
    for (;;) {
      const token = this.#memory.get(TOKEN);
      this.#sitting = await persist(() => post("api/enter", token ? { token } : {}));
      if (!this.#sitting.consented) this.#outbox.clear();
      this.#outbox.adopt(this.#sitting.nonce);
      if (!this.pending) return this.#sitting;
      await this.#outbox.sent();
    }
  }

  async consent() {
    this.#sitting = await persist(() => post("api/consent", this.#names));
    this.#memory.set(TOKEN, this.#sitting.token);
    this.#outbox.adopt(this.#sitting.nonce);
    return this.#sitting;
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
    this.#outbox.clear();
    await persist(() => post("api/withdraw", { token }));
    this.renew();
  }
}

run(new Server());
