/** Messages that can be read, and go: the server's errors, and notes. */
import { byId, icon, make } from "./dom.js";

const STAY = 9000;

/** Show a message; the same text is not shown twice at once. */
export function notify(text, kind = "error") {
  const list = byId("notices");
  if ([...list.children].some((notice) => notice.dataset.text === text)) return;
  const close = make("button", { type: "button", class: "plain", "aria-label": "Close this message" }, icon("close"));
  const notice = make("div", { class: `notice ${kind}`, role: kind === "error" ? "alert" : "status", "data-text": text },
    icon(kind === "error" ? "warning" : "info"), make("p", {}, text), close);
  let timer = 0;
  const go = () => notice.remove();
  const wait = () => (timer = setTimeout(go, STAY));
  close.addEventListener("click", go);
  notice.addEventListener("pointerenter", () => clearTimeout(timer));
  notice.addEventListener("pointerleave", wait);
  list.append(notice);
  wait();
}
