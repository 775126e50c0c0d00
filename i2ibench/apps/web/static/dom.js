/** Elements and events of a page, for the editor and the study. */

/**
 * Return the element of an id. It is an error if there is none, or if it is of another kind.
 * @template {Element} [T=HTMLElement]
 * @param {string} id
 * @param {new () => T} [kind] the element's class
 * @returns {T}
 */
export function byId(id, kind) {
  const element = document.getElementById(id);
  if (element instanceof (kind ?? HTMLElement)) return /** @type {T} */ (/** @type {Element} */ (element));
  throw new Error(`The page has no ${kind?.name ?? "HTMLElement"} of the id ${id}.`);
}

/**
 * Return all elements that match a selector.
 * @param {string} selector
 */
export function all(selector) {
  return [.../** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(selector))];
}

/**
 * Make an element: make("button", {class: "tool", onclick: f}, "text", child).
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Object<string, any>} properties those whose names start with on are listeners, the others
 *   are attributes; false and undefined leave an attribute out
 * @param {...Children} children lists are flattened; null, undefined, false and "" are left out
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...nodesOf(children));
  return element;
}

/**
 * Flatten lists of nodes and texts, without what is left out.
 * @param {Children[]} children
 * @returns {(Node | string)[]}
 */
export function nodesOf(children) {
  /** @type {(Node | string)[]} */
  const nodes = [];
  for (const child of children) {
    if (Array.isArray(child)) nodes.push(...nodesOf(child));
    else if (child) nodes.push(child);
  }
  return nodes;
}

/**
 * Return a canvas's 2D context.
 * @param {HTMLCanvasElement} canvas
 * @param {CanvasRenderingContext2DSettings} [options]
 */
export function context2d(canvas, options) {
  const context = canvas.getContext("2d", options);
  if (!context) throw new Error("This browser draws nothing on a canvas.");
  return context;
}

/**
 * Return whether an event happened in an element that matches a selector.
 * @param {Event} event
 * @param {string} selector
 */
export function happenedIn(event, selector) {
  return event.target instanceof Element && event.target.closest(selector) !== null;
}

/**
 * Return the message of something that was thrown.
 * @param {unknown} error
 */
export const messageOf = (error) => (error instanceof Error ? error.message : String(error));

/**
 * Return the value of the field that an event comes from.
 * @param {Event} event
 */
export function valueOf(event) {
  const field = event.target;
  if (field instanceof HTMLInputElement || field instanceof HTMLSelectElement) return field.value;
  throw new Error("The event comes from no field.");
}
