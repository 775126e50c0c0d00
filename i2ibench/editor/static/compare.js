/** Before and after: the picture of this scene that came first, or the real photo, left of a line. */
import { byId } from "./dom.js";

export class Compare {
  #app;
  #photo = null;

  constructor(app) {
    this.#app = app;
    const { store, view } = app;
    byId("compare").addEventListener("change", (event) => store.set({ compare: event.target.value }));
    byId("compare-at").addEventListener("input", () => this.#place());
    view.addEventListener("change", () => this.#place());
    store.on(["compare"], () => this.show());
    store.on(["realPhoto", "session", "scene"], () => this.#offer());
  }

  /** The scene changed: its photo is another one. */
  forget() {
    this.#photo = null;
  }

  /** Switch between off and the first picture. */
  toggle() {
    const { store } = this.#app;
    store.set({ compare: store.compare === "off" ? "first" : "off" });
  }

  async show() {
    const { store, picture } = this.#app;
    for (const input of byId("compare").querySelectorAll("input")) input.checked = input.value === store.compare;
    const source = store.compare === "photo" ? await this.#load() : picture.first;
    const on = store.compare !== "off" && source !== null;
    byId("before").hidden = byId("compare-at").hidden = byId("compare-line").hidden = !on;
    if (!on) return;
    byId("compare-left").textContent = store.compare === "photo" ? "Photo" : "First picture";
    const canvas = byId("before-picture");
    canvas.width = store.width;
    canvas.height = store.height;
    canvas.getContext("2d").drawImage(source, 0, 0, store.width, store.height);
    this.#place();
  }

  #offer() {
    const { store } = this.#app;
    byId("compare-photo").hidden = !store.realPhoto;
    if (!store.realPhoto && store.compare === "photo") store.set({ compare: "off" });
  }

  async #load() {
    const { store } = this.#app;
    if (!this.#photo && store.realPhoto) {
      const answer = await fetch(`/photo/${store.session}.png`, { cache: "no-store" });
      if (answer.ok) this.#photo = await createImageBitmap(await answer.blob());
      else this.#app.notify("The photo of this scene could not be loaded.");
    }
    return this.#photo;
  }

  /** The thumb's middle travels between half a thumb from either end. */
  #place() {
    const input = byId("compare-at");
    const thumb = 36;
    const at = thumb / 2 + (input.value / input.max) * (input.clientWidth - thumb);
    byId("before").style.clipPath = `inset(0 calc(100% - ${at}px) 0 0)`;
    byId("compare-line").style.left = `${at}px`;
  }
}
