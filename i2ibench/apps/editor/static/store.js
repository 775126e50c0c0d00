/** What the whole page knows, with an event for every name that changes. */

export class Store extends EventTarget {
  // from the server
  /** @type {string | null} */
  session = null;
  scene = "";
  /** @type {string[]} */
  scenes = [];
  /** @type {SemanticClass[]} */
  classes = [];
  checkpoint = "";
  styles = false;
  photo = false;
  realPhoto = false;
  limits = { points: 4096, radius: 256, upload_bytes: 64 << 20 };
  width = 0;
  height = 0;
  version = 0;
  saved = -1;
  saveFailed = false;
  /** @type {Instances} */
  instances = new Map();
  instancesVersion = -1;
  canUndo = false;
  canRedo = false;
  /** @type {number | null} */
  progress = null;
  // from the user
  online = "connecting";
  /** @type {ToolName} */
  tool = "brush";
  label = -1;
  radius = 10;
  painting = "auto";
  /** @type {number | null} */
  selected = null;
  /** @type {number | null} */
  hovered = null;
  /** @type {Point | null} */
  pointer = null;
  scope = "object";
  compare = "off";

  /**
   * Change fields and tell who listens to them.
   * @param {Partial<Store>} changes
   */
  set(changes) {
    const names = /** @type {(keyof Store)[]} */ (Object.keys(changes));
    const changed = names.filter((name) => this[name] !== changes[name]);
    Object.assign(this, changes);
    for (const name of changed) this.dispatchEvent(new Event(name));
  }

  /**
   * Call listener now and whenever one of the named fields changed (once per turn).
   * @param {string[]} names
   * @param {() => void} listener
   */
  on(names, listener) {
    let asked = false;
    const later = () => {
      if (asked) return;
      asked = true;
      queueMicrotask(() => {
        asked = false;
        listener();
      });
    };
    for (const name of names) this.addEventListener(name, later);
    listener();
  }

  /** @param {number | null} id */
  info(id) {
    return id === null ? undefined : this.instances.get(id);
  }

  /** @param {number} number */
  className(number) {
    return this.classes[number]?.name ?? `class ${number}`;
  }

  /**
   * "mode 3, drawn" and the like: how an object gets its look.
   * @param {number | null} id
   */
  styleText(id) {
    const style = this.info(id)?.style;
    if (!this.styles || !style) return "";
    const mode = style.mode === undefined || style.mode < 0 ? "" : `mode ${style.mode + 1}`;
    if (style.kind === "vector") return "style from a photo";
    if (style.kind === "mode") return `${mode}, chosen`;
    return mode ? `${mode}, drawn by chance` : "the middle style";
  }
}

/**
 * The colour of a class as CSS.
 * @param {SemanticClass} semanticClass
 */
export const colourOf = (semanticClass) => `rgb(${semanticClass.colour.join(" ")})`;
