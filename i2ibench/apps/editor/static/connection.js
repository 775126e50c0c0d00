/** One WebSocket: requests with answers, frames handled in order, and a new socket when it breaks. */
import { messageOf } from "./dom.js";

const FIRST_WAIT = 250;
const LONGEST_WAIT = 5000;
const REFUSED = 1008;

/**
 * @typedef {object} Handlers
 * @property {() => Fields} hello gives the fields of the first request
 * @property {(header: any, payload: Bytes) => void | Promise<void>} frame is given every frame that
 *   is no answer; the next frame waits for it
 * @property {(online: string, reason?: string) => void} state hears connected, reconnecting, refused
 */

export class Connection {
  #handlers;
  /** @type {WebSocket | null} */
  #socket = null;
  #next = 1;
  /** @type {Map<number, { resolve: (done: Done) => void, reject: (error: Error) => void }>} */
  #waiting = new Map();
  /** @type {Promise<void>} */
  #chain = Promise.resolve();
  #handling = 0;
  #wait = FIRST_WAIT;

  /** @param {Handlers} handlers */
  constructor(handlers) {
    this.#handlers = handlers;
  }

  get unanswered() {
    return this.#waiting.size;
  }

  get quiet() {
    return this.#waiting.size === 0 && this.#handling === 0;
  }

  open() {
    const address = new URL("ws", document.baseURI);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    socket.onopen = () => this.#greet(socket);
    socket.onmessage = (event) => this.#receive(socket, event.data);
    socket.onclose = (event) => this.#lost(socket, event);
  }

  /** End this socket, as a lost network would; a new one follows. */
  close() {
    this.#socket?.close();
  }

  /** @param {WebSocket} socket */
  async #greet(socket) {
    try {
      await this.request("hello", this.#handlers.hello());
      this.#wait = FIRST_WAIT;
      this.#handlers.state("connected");
    } catch (error) {
      if (socket.readyState === WebSocket.OPEN) this.#handlers.state("refused", messageOf(error));
    }
  }

  /** @param {WebSocket} socket @param {CloseEvent} event */
  #lost(socket, event) {
    if (socket !== this.#socket) return;
    for (const { reject } of this.#waiting.values()) reject(new Error("The connection was lost."));
    this.#waiting.clear();
    if (event.code === REFUSED) {
      this.#handlers.state("refused", event.reason || "The server refuses this page's address.");
      return;
    }
    this.#handlers.state("reconnecting");
    setTimeout(() => this.open(), this.#wait);
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT);
  }

  /**
   * The header of the done frame; an Error with the server's message if it refused.
   * @param {string} type
   * @param {Fields} [fields]
   * @param {Bytes | null} [payload]
   */
  request(type, fields = {}, payload = null) {
    if (this.#socket?.readyState !== WebSocket.OPEN) {
      return Promise.reject(new Error("There is no connection to the server."));
    }
    const id = this.#next;
    this.#next += 1;
    const message = JSON.stringify({ ...fields, type, id });
    /** @type {Promise<Done>} */
    const answer = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#socket.send(payload ? framed(message, payload) : message);
    return answer;
  }

  /** @param {WebSocket} socket @param {ArrayBuffer} data */
  #receive(socket, data) {
    this.#handling += 1;
    this.#chain = this.#chain.then(async () => {
      try {
        if (socket === this.#socket) await this.#handle(data);
      } catch (error) {
        console.error(error);
      } finally {
        this.#handling -= 1;
      }
    });
  }

  /** @param {ArrayBuffer} data */
  async #handle(data) {
    const length = new DataView(data).getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
    if (header.type !== "done" && header.type !== "error") {
      await this.#handlers.frame(header, new Uint8Array(data, 4 + length));
      return;
    }
    const asked = this.#waiting.get(header.id);
    this.#waiting.delete(header.id);
    if (header.type === "error") {
      const error = new Error(header.message);
      if (asked) asked.reject(error);
      else this.#handlers.frame({ type: "notice", message: header.message }, new Uint8Array(0));
    } else asked?.resolve(header);
  }
}

/** @param {string} message @param {Bytes} payload */
function framed(message, payload) {
  const header = new TextEncoder().encode(message);
  const frame = new Uint8Array(4 + header.length + payload.length);
  new DataView(frame.buffer).setUint32(0, header.length, true);
  frame.set(header, 4);
  frame.set(payload, 4 + header.length);
  return frame;
}

/**
 * The bytes of a zlib stream.
 * @param {Bytes} bytes
 */
export async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
