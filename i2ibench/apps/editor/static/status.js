/** The status line, the buttons' states and the progress bar. */
import { byId } from "./dom.js";

const KEPT = 200;

/** Milliseconds from a change to its picture: when asked, and answered by which picture. */
export class Timings {
  /** @type {number[]} */
  all = [];
  /** @type {number | null} */
  last = null;
  /** @type {{ since: number, version: number }[]} */
  #open = [];
  #newest = -1;

  /** @param {number} since @param {number} version */
  asked(since, version) {
    if (version <= this.#newest) return; // the message changed nothing, so no picture answers it
    this.#newest = version;
    this.#open.push({ since, version });
  }

  /**
   * A picture of this version is on the screen.
   * @param {number} version
   * @param {number} [now]
   */
  seen(version, now = performance.now()) {
    const answered = this.#open.filter((entry) => entry.version <= version);
    this.#open = this.#open.filter((entry) => entry.version > version);
    for (const { since } of answered) this.all.push(now - since);
    this.all = this.all.slice(-KEPT);
    if (answered.length) this.last = now - answered[0].since;
    return answered.length > 0;
  }

  forget() {
    this.#open = [];
    this.#newest = -1;
  }

  get median() {
    const sorted = [...this.all].sort((a, b) => a - b);
    return sorted.length ? sorted[Math.floor(sorted.length / 2)] : null;
  }
}

/** @param {number} ms */
const duration = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

/** @type {Record<string, string>} */
const ONLINE = {
  connecting: "connecting …",
  connected: "connected",
  reconnecting: "connection lost, trying again …",
  refused: "refused by the server",
};

export class Status {
  #app;

  /** @param {App} app */
  constructor(app) {
    this.#app = app;
    const { store, view } = app;
    store.on(["online"], () => {
      byId("online").textContent = ONLINE[store.online];
      byId("online").dataset.state = store.online;
      document.body.classList.toggle("offline", store.online !== "connected");
    });
    store.on(["saved", "saveFailed", "version", "online"], () => this.#showSaved());
    store.on(["canUndo", "canRedo"], () => {
      byId("undo", HTMLButtonElement).disabled = !store.canUndo;
      byId("redo", HTMLButtonElement).disabled = !store.canRedo;
    });
    store.on(["scene", "width", "height", "checkpoint"], () => {
      byId("scene-name").textContent = store.scene || "untitled";
      byId("size").textContent = store.width ? `${store.width} × ${store.height}` : "";
      byId("checkpoint").textContent = store.checkpoint.split(/[/\\]/).slice(-2).join("/");
      byId("checkpoint").title = store.checkpoint;
      document.title = `${store.scene || "untitled"} · i2ibench editor`;
    });
    store.on(["progress"], () => this.#showProgress());
    view.addEventListener("change", () => (byId("zoom").textContent = `${Math.round(view.scale * 100)} %`));
  }

  showTimings() {
    const { last, median } = this.#app.timings;
    if (last === null || median === null) return;
    byId("timing").textContent = `stroke to picture: ${duration(last)} (median ${duration(median)})`;
  }

  #showSaved() {
    const { saved, saveFailed, version, online } = this.#app.store;
    const text = saveFailed ? "not saved" : saved < 0 ? "" : saved >= version ? "saved" : "saving …";
    byId("saved").textContent = online === "connected" ? text : "";
    byId("saved").classList.toggle("failed", saveFailed);
  }

  #showProgress() {
    const { progress } = this.#app.store;
    const bar = byId("progress", HTMLProgressElement);
    bar.hidden = progress === null;
    bar.value = progress ?? 0;
    byId("making").textContent = progress === null ? "Making the picture …" : `Making the picture: ${Math.round(progress * 100)} %`;
  }
}
