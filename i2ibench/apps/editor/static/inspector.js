/** The selected object: its class, size and style, and what can be done with it. */
import { byId, make, valueOf } from "./dom.js";
import { count } from "./legend.js";
import { colourOf } from "./store.js";

export class Inspector {
  #store;

  /** @param {App} app */
  constructor({ store, actions }) {
    this.#store = store;
    byId("object-class").addEventListener("change", (event) => actions.relabel(Number(valueOf(event))));
    byId("object-duplicate").addEventListener("click", () => actions.duplicate());
    byId("object-delete").addEventListener("click", () => actions.delete());
    store.on(["classes"], () => this.#fillClasses());
    store.on(["selected", "instances", "classes"], () => this.#show());
    store.on(["hovered", "pointer", "instances"], () => this.#hover());
  }

  #fillClasses() {
    const options = this.#store.classes.map(({ name }, number) => make("option", { value: number }, name));
    byId("object-class").replaceChildren(...options);
  }

  #show() {
    const { selected } = this.#store;
    const info = this.#store.info(selected);
    byId("object").classList.toggle("none", !info);
    byId("object-name").textContent = info ? `Object ${selected}` : "No object selected";
    if (!info) return;
    byId("object-class", HTMLSelectElement).value = String(info.label);
    byId("object-swatch").style.background = colourOf(this.#store.classes[info.label]);
    const [, , width, height] = info.box;
    byId("object-facts").textContent = `${count(info.area)} px, ${width} × ${height}`;
    const last = this.#store.instances.size === 1;
    byId("object-delete", HTMLButtonElement).disabled = last;
    byId("object-delete").title = last ? "The only object cannot be deleted" : "Delete (Del)";
  }

  /** The line that says what is under the pointer. */
  #hover() {
    const { hovered, pointer } = this.#store;
    const info = this.#store.info(hovered);
    const line = byId("hover");
    if (!info) {
      line.replaceChildren();
      return;
    }
    const swatch = make("span", { class: "swatch", style: `background:${colourOf(this.#store.classes[info.label])}` });
    const style = this.#store.styleText(hovered);
    const facts = [`object ${hovered}`, style, pointer ? `${pointer.x}, ${pointer.y}` : ""].filter(Boolean);
    line.replaceChildren(swatch, make("b", {}, this.#store.className(info.label)), ` ${facts.join(" · ")}`);
  }
}
