/** Messages that can be read, and go: the server's errors, and notes. */
import { byId, make } from "./dom.js";

const STAY = 9000;

/**
 * Show a message; the same text is not shown twice at once.
 * @param {string} text
 * @param {string} [kind]
 */
export function notify(text, kind = "error") {
  const list = byId("notices");
  if ([...list.children].some((notice) => notice.getAttribute("data-text") === text)) return;
  const close = make("button", { type: "button", class: "plain", "aria-label": "Close this message" }, icon("close"));
  const notice = make("div", { class: `notice ${kind}`, role: kind === "error" ? "alert" : "status", "data-text": text },
    icon(kind === "error" ? "warning" : "info"), make("p", {}, text), close);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const go = () => notice.remove();
  const wait = () => (timer = setTimeout(go, STAY));
  close.addEventListener("click", go);
  notice.addEventListener("pointerenter", () => clearTimeout(timer));
  notice.addEventListener("pointerleave", wait);
  list.append(notice);
  wait();
}

/**
 * Make an icon of index.html's sheet.
 * @param {string} name
 */
function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}
