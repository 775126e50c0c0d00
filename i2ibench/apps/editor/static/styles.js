/** The style panel: the modes of the selected object as thumbnails, and where a choice goes. */
import { byId, context2d, make, messageOf, valueOf } from "./dom.js";

const CALM = 200;

export class Styles {
  #app;
  /** @type {string | null} */
  #asked = null;
  /** @type {{ button: HTMLButtonElement, canvas: HTMLCanvasElement }[]} */
  #tiles = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {App} app */
  constructor(app) {
    this.#app = app;
    const { store, actions } = app;
    byId("scope").addEventListener("change", (event) => store.set({ scope: valueOf(event) }));
    byId("styles-random").addEventListener("click", () => actions.randomStyles());
    byId("styles-reset").addEventListener("click", () => actions.resetStyles());
    store.on(["styles"], () => (byId("styles").hidden = !store.styles));
    store.on(["photo", "realPhoto"], () => this.#photoButtons());
    store.on(["selected", "instances", "styles", "scope"], () => this.#show());
  }

  /**
   * A strip frame: tiles of equal size side by side.
   * @param {StripHeader} header
   * @param {Bytes} payload
   */
  async receive(header, payload) {
    if (header.instance !== this.#app.store.selected) return;
    const bitmap = await createImageBitmap(new Blob([payload], { type: "image/jpeg" }));
    this.#tiles.forEach(({ canvas }, mode) => {
      if (mode >= header.modes) return;
      canvas.width = header.width;
      canvas.height = header.height;
      context2d(canvas).drawImage(bitmap, -mode * header.width, 0);
      canvas.classList.add("drawn");
    });
    bitmap.close();
    byId("strip-note").hidden = !header.approximate;
  }

  #photoButtons() {
    const { photo, realPhoto } = this.#app.store;
    byId("styles-photo").hidden = !photo;
    byId("styles-real").hidden = !photo || !realPhoto;
  }

  #show() {
    const { store } = this.#app;
    const info = store.info(store.selected);
    const modes = info && store.styles ? store.classes[info.label].modes : 0;
    this.#describe(info, modes);
    // Thumbnails show the object in its surroundings: its shape, not its style, makes them old.
    const wanted = info && modes ? `${store.selected}/${info.label}/${info.area}/${info.box}` : null;
    if (wanted !== this.#asked) {
      this.#asked = wanted;
      if (this.#tiles.length !== modes || !wanted) this.#build(modes);
      for (const { canvas } of this.#tiles) canvas.classList.remove("drawn");
      clearTimeout(this.#timer);
      if (wanted) this.#timer = setTimeout(() => this.#request(), CALM);
    }
    this.#tiles.forEach(({ button }, mode) => {
      const current = info?.style?.mode === mode && info.style.kind !== "vector";
      button.setAttribute("aria-pressed", String(current && info.style.kind === "mode"));
      button.classList.toggle("drawn-mode", current && info.style.kind === "drawn");
    });
  }

  /** @param {InstanceInfo | undefined} info @param {number} modes */
  #describe(info, modes) {
    const { store } = this.#app;
    const name = info ? store.className(info.label) : "";
    byId("scope-class").textContent = info ? `Every ${name}` : "Its class";
    byId("style-now").textContent = info
      ? modes ? store.styleText(store.selected) : `No modes were learnt for ${name}.`
      : "Select an object to see its modes.";
  }

  /** @param {number} modes */
  #build(modes) {
    this.#tiles = Array.from({ length: modes }, (_, mode) => {
      const canvas = make("canvas", { width: 4, height: 3 });
      const key = mode < 10 ? ` (key ${(mode + 1) % 10})` : "";
      const button = make("button", { class: "tile", type: "button", title: `Mode ${mode + 1}${key}`, "aria-label": `Mode ${mode + 1}` },
        canvas, make("span", {}, String(mode + 1)));
      button.addEventListener("click", () => this.#app.actions.setStyle(mode));
      return { button, canvas };
    });
    byId("strip").replaceChildren(...this.#tiles.map(({ button }) => button));
    byId("strip-note").hidden = true;
  }

  async #request() {
    const { store, connection, settled, notify } = this.#app;
    await settled();
    const instance = store.selected;
    if (!this.#asked || !store.info(instance)) return;
    try {
      await connection.request("thumbnails", { instance });
    } catch (error) {
      // An edit may have removed the object while the request was on its way.
      if (store.selected === instance && store.online === "connected") notify(messageOf(error));
    }
  }
}
