/** Elements: by id, and made from a description. */

export const byId = (id) => document.getElementById(id);

/** make("button", {class: "tool", onclick: f}, "text", child): properties that start with on are
 * listeners, the others are attributes; false and undefined leave an attribute out. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== null));
  return element;
}

/** An icon of index.html's sheet. */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

export const colourOf = (semanticClass) => `rgb(${semanticClass.colour.join(" ")})`;

/** 12345 as "12,345"; a share as "3.4 %". */
export const count = (number) => number.toLocaleString("en");
export const share = (part) => (part > 0 && part < 0.001 ? "<0.1 %" : `${(part * 100).toFixed(1)} %`);

/** Run a function once, `wait` milliseconds after the last of a series of calls. */
export function calm(wait, run) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => run(...values), wait);
  };
}
