/** Elements: by id, made from a description, and the one screen of text that is shown. */

export const byId = (id) => document.getElementById(id);

/** make("button", {class: "main", onclick: f}, "text", child): properties that start with on are
 * listeners, the others are attributes; false and undefined leave an attribute out. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== ""));
  return element;
}

export const paragraphs = (texts) => texts.map((text) => make("p", {}, text));

/** Show a screen of text in place of whatever was there, and let screen readers begin at its title. */
export function show(title, ...children) {
  byId("trial").hidden = true;
  const heading = make("h1", { tabindex: "-1" }, title);
  byId("screen").replaceChildren(heading, ...children.flat(Infinity).filter(Boolean));
  byId("screen").hidden = false;
  window.scrollTo(0, 0);
  heading.focus();
}

export const clicked = (button) => new Promise((resolve) => button.addEventListener("click", resolve, { once: true }));

/** A promise of the click on the main button of a screen; Enter does the same. */
export function pressed(button) {
  return new Promise((resolve) => {
    const enter = (event) => {
      if (event.key !== "Enter" || event.repeat || event.target.closest?.("button, a, input, dialog")) return;
      if (!button.disabled && button.isConnected) button.click();
    };
    window.addEventListener("keydown", enter);
    button.addEventListener("click", () => {
      window.removeEventListener("keydown", enter);
      resolve();
    }, { once: true });
  });
}

/** A message that stays while something is so. */
export function notice(id, text) {
  const shown = document.querySelector(`#notices [data-of="${id}"]`);
  if (shown?.textContent === text) return; // or screen readers would say it again
  shown?.remove();
  if (text) byId("notices").append(make("p", { class: "notice", "data-of": id }, text));
}
