/** Before and after: the picture of the scene as it was opened, or the real photo, left of a line. */
import { byId, context2d, valueOf } from "./dom.js";

export class Compare {
  #app;
  /** @type {Map<string, ImageBitmap>} */
  #loaded = new Map();

  /** @param {App} app */
  constructor(app) {
    this.#app = app;
    const { store, view } = app;
    byId("compare").addEventListener("change", (event) => store.set({ compare: valueOf(event) }));
    byId("compare-at").addEventListener("input", () => this.#place());
    view.addEventListener("change", () => this.#place());
    store.on(["compare"], () => this.show());
    store.on(["realPhoto", "session", "scene"], () => this.#offer());
  }

  /** The scene changed: its pictures are others. An answer under way goes into the old map. */
  forget() {
    this.#loaded = new Map();
  }

  /** Switch between off and the first picture. */
  toggle() {
    const { store } = this.#app;
    store.set({ compare: store.compare === "off" ? "first" : "off" });
  }

  async show() {
    const { store } = this.#app;
    const { compare } = store;
    for (const input of byId("compare").querySelectorAll("input")) input.checked = input.value === compare;
    const source = compare === "off" ? null : await this.#load(compare);
    if (compare !== store.compare) return; // another choice was made meanwhile
    const on = source !== null;
    byId("before").hidden = byId("compare-at").hidden = byId("compare-line").hidden = !on;
    if (!on) return;
    byId("compare-left").textContent = compare === "photo" ? "Photo" : "Before";
    const canvas = byId("before-picture", HTMLCanvasElement);
    canvas.width = store.width;
    canvas.height = store.height;
    context2d(canvas).drawImage(source, 0, 0, store.width, store.height);
    this.#place();
  }

  #offer() {
    const { store } = this.#app;
    byId("compare-photo").hidden = !store.realPhoto;
    if (!store.realPhoto && store.compare === "photo") store.set({ compare: "off" });
  }

  /**
   * The picture of a kind, "first" or "photo"; null, after a message, if it cannot be had.
   * @param {string} kind
   */
  async #load(kind) {
    const loaded = this.#loaded;
    if (!loaded.has(kind)) {
      try {
        const answer = await fetch(`${kind}/${this.#app.store.session}.png`, { cache: "no-store" });
        loaded.set(kind, await createImageBitmap(await answer.blob()));
      } catch {
        this.#app.notify("The picture to compare with could not be loaded.");
      }
    }
    return (loaded === this.#loaded && loaded.get(kind)) || null;
  }

  /** The thumb's middle travels between half a thumb from either end. */
  #place() {
    const input = byId("compare-at", HTMLInputElement);
    const thumb = 36;
    const at = thumb / 2 + (Number(input.value) / Number(input.max)) * (input.clientWidth - thumb);
    byId("before").style.clipPath = `inset(0 calc(100% - ${at}px) 0 0)`;
    byId("compare-line").style.left = `${at}px`;
  }
}
