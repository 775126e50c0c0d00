/** The legend: every class with colour and count, searchable; a click takes it in hand. */
import { byId, make } from "./dom.js";
import { colourOf } from "./store.js";

/**
 * Write 12345 as "12,345".
 * @param {number} number
 */
export const count = (number) => number.toLocaleString("en");

/**
 * Write a share as "3.4 %".
 * @param {number} part
 */
const share = (part) => (part > 0 && part < 0.001 ? "<0.1 %" : `${(part * 100).toFixed(1)} %`);

/** @typedef {{ row: HTMLElement, amount: HTMLElement, number: number, name: string }} Row */

export class Legend {
  #store;
  #none = make("p", { class: "empty", id: "legend-none", hidden: true }, "No class has this name.");
  /** @type {Row[]} */
  #rows = [];
  /** @type {Row[]} */
  #order = [];
  /** @type {string | null} */
  #sortedFor = null;

  /** @param {Store} store */
  constructor(store) {
    this.#store = store;
    byId("legend-search").addEventListener("input", () => this.#filter());
    byId("legend-search").addEventListener("keydown", (event) => this.#searchKey(event));
    byId("legend").addEventListener("keydown", (event) => this.#listKey(event));
    store.on(["classes"], () => this.#build());
    store.on(["instances", "classes"], () => this.#count());
    store.on(["instances", "scene", "classes"], () => this.#sort());
    store.on(["label", "classes"], () => this.#mark());
  }

  #build() {
    this.#rows = this.#store.classes.map((semanticClass, number) => {
      const amount = make("span", { class: "amount" });
      const swatch = make("span", { class: "swatch", style: `background:${colourOf(semanticClass)}` });
      const name = make("span", { class: "name", title: semanticClass.name }, semanticClass.name);
      const thing = semanticClass.thing
        ? make("span", { class: "thing", title: "A thing: every stroke, lasso or stamp is an object of its own" }, "thing")
        : null;
      const row = make("div", { class: "row", role: "option", id: `class-${number}`, tabindex: "-1" }, swatch, name, thing, amount);
      row.addEventListener("click", () => this.#store.set({ label: number }));
      return { row, amount, number, name: semanticClass.name.toLowerCase() };
    });
    this.#sortedFor = null;
    this.#arrange(this.#rows, []);
  }

  /** The scene's classes come first. Sorted once a scene, so that no row moves under the mouse. */
  #sort() {
    const { session, scene, instances } = this.#store;
    if (this.#sortedFor === `${session}/${scene}` || instances.size === 0) return;
    this.#sortedFor = `${session}/${scene}`;
    const present = new Set([...instances.values()].map(({ label }) => label));
    /** @param {unknown} _ @param {number} number */
    const here = (_, number) => present.has(number);
    this.#arrange(this.#rows.filter(here), this.#rows.filter((row, number) => !here(row, number)));
    this.#mark();
  }

  /** @param {Row[]} first @param {Row[]} others */
  #arrange(first, others) {
    const heads = [first, others].map((rows, number) =>
      make("p", { class: "head", hidden: rows.length === 0 || others.length === 0 }, number ? "Other classes" : "In this scene"));
    this.#order = [...first, ...others];
    byId("legend").replaceChildren(heads[0], ...first.map(({ row }) => row), heads[1], ...others.map(({ row }) => row), this.#none);
    this.#filter();
  }

  /** Objects of things, share of the map of the rest. */
  #count() {
    const { instances, classes, width, height } = this.#store;
    const objects = classes.map(() => 0);
    const pixels = classes.map(() => 0);
    for (const { label, area } of instances.values()) {
      objects[label] += 1;
      pixels[label] += area;
    }
    this.#rows.forEach(({ row, amount }, number) => {
      const part = share(pixels[number] / (width * height || 1));
      const things = classes[number].thing;
      amount.textContent = pixels[number] === 0 ? "" : things ? `× ${count(objects[number])}` : part;
      row.title = pixels[number] === 0 ? "not in this scene" : `${count(objects[number])} objects, ${part} of the map`;
      row.classList.toggle("absent", pixels[number] === 0);
    });
  }

  #mark() {
    const { label } = this.#store;
    this.#rows.forEach(({ row }, number) => {
      row.setAttribute("aria-selected", String(number === label));
      row.tabIndex = number === label ? 0 : -1;
    });
    const row = this.#rows[label]?.row;
    if (!row) return;
    // scrollIntoView would scroll a narrow page away from the canvas as well.
    const list = byId("legend");
    const [above, below] = [row.offsetTop - list.offsetTop, row.offsetTop - list.offsetTop + row.offsetHeight];
    if (above < list.scrollTop) list.scrollTop = above - row.offsetHeight;
    else if (below > list.scrollTop + list.clientHeight) list.scrollTop = below - list.clientHeight + row.offsetHeight;
  }

  #filter() {
    const wanted = byId("legend-search", HTMLInputElement).value.trim().toLowerCase();
    let shown = 0;
    for (const { row, name } of this.#rows) {
      row.hidden = !name.includes(wanted);
      shown += row.hidden ? 0 : 1;
    }
    this.#none.hidden = shown > 0;
  }

  #visible() {
    return this.#order.filter(({ row }) => !row.hidden).map(({ number }) => number);
  }

  /** @param {KeyboardEvent} event */
  #searchKey(event) {
    const first = this.#visible()[0];
    if (event.key === "Enter" && first !== undefined) {
      this.#store.set({ label: first });
      this.#endSearch();
    } else if (event.key === "ArrowDown" && first !== undefined) {
      event.preventDefault();
      this.#rows[first].row.focus();
    } else if (event.key === "Escape") {
      this.#endSearch();
    }
  }

  #endSearch() {
    const search = byId("legend-search", HTMLInputElement);
    search.value = "";
    search.blur();
    this.#filter();
  }

  /** @param {KeyboardEvent} event */
  #listKey(event) {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const order = this.#visible();
    const at = order.indexOf(this.#rows.findIndex(({ row }) => row === event.target));
    if (at < 0) return;
    if (event.key === "Enter" || event.key === " ") this.#store.set({ label: order[at] });
    else if (step && order[at + step] !== undefined) {
      this.#store.set({ label: order[at + step] });
      this.#rows[order[at + step]].row.focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
