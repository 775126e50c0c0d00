/** Messages above the page. */
import { byId, make } from "./dom.js";

/**
 * A message that stays while something is so.
 * @param {string} id
 * @param {string | false} text
 */
export function notice(id, text) {
  const shown = document.querySelector(`#notices [data-of="${id}"]`);
  if (shown?.textContent === text) return; // or screen readers would say it again
  shown?.remove();
  if (text) byId("notices").append(make("p", { class: "notice", "data-of": id }, text));
}
