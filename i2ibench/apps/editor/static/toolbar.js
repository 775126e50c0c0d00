/** The tool rail, the options of the tool in hand, and the tray of silhouettes. */
import { all, byId, make, valueOf } from "./dom.js";
import { paintMask } from "./objects.js";
import { colourOf } from "./store.js";
import { paintTarget } from "./tools.js";

const LIMIT = 48;

export class Toolbar {
  #app;
  /** @type {number | null} */
  #trayOf = null;
  /** @type {Map<number, Silhouette[]>} */
  #trays = new Map();
  /** @type {Map<HTMLElement, Silhouette>} the silhouette of each button in the tray */
  #buttons = new Map();

  /** @param {App} app */
  constructor(app) {
    this.#app = app;
    const { store } = app;
    for (const button of all("[data-tool]")) {
      button.addEventListener("click", () => store.set({ tool: /** @type {ToolName} */ (button.dataset.tool) }));
    }
    byId("radius").addEventListener("input", (event) => store.set({ radius: Number(valueOf(event)) }));
    byId("painting").addEventListener("change", (event) => store.set({ painting: valueOf(event) }));
    byId("stamp-flip").addEventListener("click", () => app.tools.stamp.turn());
    byId("stamp-smaller").addEventListener("click", () => app.tools.stamp.resize(1 / 1.25));
    byId("stamp-larger").addEventListener("click", () => app.tools.stamp.resize(1.25));
    app.stampChanged = () => this.#stampState();
    store.on(["tool"], () => this.#showTool());
    store.on(["radius", "limits"], () => this.#showRadius());
    store.on(["painting", "selected", "instances"], () => this.#showPainting());
    store.on(["tool", "label", "classes"], () => this.#showTray());
    store.on(["tool", "label", "classes", "painting", "selected", "instances"], () => this.#showClass());
  }

  /**
   * A silhouettes frame: masks of one byte per pixel, one after the other.
   * @param {SilhouettesHeader} header
   * @param {Bytes} payload
   */
  receive(header, payload) {
    let at = 0;
    const silhouettes = header.stamps.map(({ name, width, height }) => {
      const mask = payload.slice(at, at + width * height);
      at += width * height;
      return { name, width, height, mask };
    });
    this.#trays.set(header.label, silhouettes);
    if (header.label === this.#trayOf) this.#fillTray(silhouettes);
  }

  /** Another scene's data may have other silhouettes. */
  forgetTrays() {
    this.#trays.clear();
    this.#trayOf = null;
    this.#showTray();
  }

  #showTool() {
    const { tool } = this.#app.store;
    for (const button of all("[data-tool]")) {
      button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
    }
    for (const part of all("[data-for]")) {
      part.hidden = !part.dataset.for?.split(" ").includes(tool);
    }
  }

  /** The class that the tools paint with. */
  #showClass() {
    const { store } = this.#app;
    const label = store.tool === "stamp" ? store.label : paintTarget(store).label;
    const semanticClass = store.classes[label];
    if (!semanticClass) return;
    const swatch = make("span", { class: "swatch", style: `background:${colourOf(semanticClass)}` });
    byId("in-hand").replaceChildren(swatch, make("b", {}, semanticClass.name));
  }

  #showRadius() {
    const { radius, limits } = this.#app.store;
    byId("radius", HTMLInputElement).max = String(Math.min(limits.radius, 128));
    byId("radius", HTMLInputElement).value = String(radius);
    byId("radius-value").textContent = `${2 * radius + 1} px`;
  }

  #showPainting() {
    const { store } = this.#app;
    const none = !store.info(store.selected);
    byId("painting-selected", HTMLInputElement).disabled = none;
    const painting = none && store.painting === "selected" ? "auto" : store.painting;
    if (painting !== store.painting) store.set({ painting });
    for (const input of byId("painting").querySelectorAll("input")) input.checked = input.value === painting;
  }

  #showTray() {
    const { store, edits, tools } = this.#app;
    if (store.tool !== "stamp" || store.label < 0 || this.#trayOf === store.label) return;
    this.#trayOf = store.label;
    tools.stamp.choose(null);
    const known = this.#trays.get(store.label);
    if (known) this.#fillTray(known);
    else {
      byId("tray").replaceChildren(make("p", { class: "empty" }, "Looking for silhouettes …"));
      edits.run("stamps", { label: store.label });
    }
  }

  /** @param {Silhouette[]} silhouettes */
  #fillTray(silhouettes) {
    const { store, tools } = this.#app;
    const name = store.className(store.label);
    if (silhouettes.length === 0) {
      const text = `The data has no silhouettes of ${name}. Choose a class marked "thing" in the legend.`;
      byId("tray").replaceChildren(make("p", { class: "empty" }, text));
      return;
    }
    this.#buttons.clear();
    const buttons = silhouettes.slice(0, LIMIT).map((silhouette, number) => {
      const title = `${name} ${number + 1}, ${silhouette.width} × ${silhouette.height}`;
      const button = make("button", { class: "silhouette", type: "button", title, "aria-label": title },
        paintMask(silhouette, store.classes[store.label]));
      button.addEventListener("click", () => tools.stamp.choose(silhouette));
      this.#buttons.set(button, silhouette);
      return button;
    });
    byId("tray").replaceChildren(...buttons);
    tools.stamp.choose(silhouettes[0]);
  }

  #stampState() {
    const { scale, flip, silhouette } = this.#app.tools.stamp;
    byId("stamp-scale").textContent = `${Math.round(scale * 100)} %`;
    byId("stamp-flip").setAttribute("aria-pressed", String(flip));
    for (const [button, own] of this.#buttons) button.setAttribute("aria-pressed", String(own === silhouette));
  }
}
