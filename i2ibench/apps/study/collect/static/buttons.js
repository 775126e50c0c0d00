/** Promises of clicks. */
import { happenedIn } from "./dom.js";

/** @param {HTMLButtonElement} button */
export const clicked = (button) => new Promise((resolve) => button.addEventListener("click", resolve, { once: true }));

/**
 * A promise of the click on the main button of a screen; Enter does the same.
 * @param {HTMLButtonElement} button
 */
export function pressed(button) {
  /** @type {Promise<void>} */
  const press = new Promise((resolve) => {
    /** @param {KeyboardEvent} event */
    const enter = (event) => {
      if (event.key !== "Enter" || event.repeat || happenedIn(event, "button, a, input, dialog")) return;
      if (!button.disabled && button.isConnected) button.click();
    };
    window.addEventListener("keydown", enter);
    button.addEventListener("click", () => {
      window.removeEventListener("keydown", enter);
      resolve();
    }, { once: true });
  });
  return press;
}
