/** What buttons and keys do to the scene. */
import { selectMade } from "./tools.js";

export class Actions {
  #app;

  /** @param {App} app */
  constructor(app) {
    this.#app = app;
  }

  undo() {
    if (this.#app.store.canUndo) this.#app.edits.run("undo");
  }

  redo() {
    if (this.#app.store.canRedo) this.#app.edits.run("redo");
  }

  reset() {
    return this.#app.edits.run("reset");
  }

  delete() {
    const { store, edits } = this.#app;
    if (store.selected === null || store.instances.size < 2) return;
    edits.run("delete", { instance: store.selected });
    store.set({ selected: null }); // so that a second press does not ask for what is gone
  }

  /**
   * A copy of the selected object; beside it unless an offset is given.
   * @param {number | null} [dx]
   * @param {number} [dy]
   */
  async duplicate(dx = null, dy = 0) {
    const { store, edits, maps } = this.#app;
    const info = store.info(store.selected);
    if (!info) return;
    const [x, , width] = info.box;
    const aside = Math.max(4, Math.round(width * 0.6));
    const right = x + width + aside <= maps.width ? aside : -aside;
    const before = new Set(store.instances.keys());
    selectMade(store, before, await edits.run("duplicate", { instance: store.selected, dx: dx ?? right, dy }));
  }

  /** @param {number} dx @param {number} dy */
  nudge(dx, dy) {
    const { selected } = this.#app.store;
    if (selected !== null) this.#app.edits.run("move", { instance: selected, dx, dy });
  }

  /**
   * The selected object gets another class; it stays selected under its new id.
   * @param {number} label
   */
  async relabel(label) {
    const { store, edits } = this.#app;
    const info = store.info(store.selected);
    if (!info || info.label === label) return;
    const before = new Set(store.instances.keys());
    selectMade(store, before, await edits.run("relabel", { instance: store.selected, label }));
  }

  /**
   * Select the next or previous object, things first, in the order of ids.
   * @param {number} by
   */
  step(by) {
    const { store } = this.#app;
    /** @param {InstanceInfo} info */
    const thing = (info) => store.classes[info.label].thing;
    const order = [...store.instances].sort(([a, one], [b, two]) => Number(thing(two)) - Number(thing(one)) || a - b);
    if (order.length === 0) return;
    const at = order.findIndex(([id]) => id === store.selected);
    const next = at < 0 ? (by > 0 ? 0 : order.length - 1) : (at + by + order.length) % order.length;
    store.set({ selected: order[next][0] });
  }

  /** The fields that name what a style goes to, or null where nothing is selected. */
  styleTarget() {
    const { store } = this.#app;
    if (store.scope === "all") return { all: true };
    const info = store.info(store.selected);
    if (!info) return null;
    return store.scope === "class" ? { label: info.label } : { instance: store.selected };
  }

  /** @param {number} mode */
  setStyle(mode) {
    const { store, edits } = this.#app;
    const target = this.styleTarget();
    const info = store.info(store.selected);
    if (!target || !info || mode >= store.classes[info.label].modes) return;
    edits.run("set_style", { ...target, mode });
  }

  randomStyles() {
    if (this.#app.store.styles) this.#app.edits.run("random_styles");
  }

  resetStyles() {
    if (this.#app.store.styles) this.#app.edits.run("reset_styles");
  }
}
