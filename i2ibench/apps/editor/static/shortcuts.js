/** Keyboard shortcuts: one table that the page obeys and the `?` dialog shows. */
import { byId, happenedIn, make } from "./dom.js";

/**
 * @typedef {object} Shortcut
 * @property {string} group
 * @property {string | null} shown its keys in the list of shortcuts, if it has a line of its own there
 * @property {string} text
 * @property {string[]} keys
 * @property {(() => unknown) | null} action
 */

/**
 * @param {App} app
 * @returns {Shortcut[]}
 */
function table(app) {
  const { store, actions, view, files, tools } = app;
  /** @param {ToolName} name */
  const tool = (name) => () => store.set({ tool: name });
  /** @param {string} painting */
  const paint = (painting) => () => store.set({ painting });
  /** @param {number} factor */
  const size = (factor) => () => {
    if (store.tool === "stamp") return tools.stamp.resize(factor > 1 ? 1.1 : 1 / 1.1);
    const step = Math.max(1, Math.round(store.radius * 0.2));
    const radius = store.radius + (factor > 1 ? step : -step);
    store.set({ radius: Math.min(Math.max(radius, 0), Math.min(store.limits.radius, 128)) });
  };
  /** @param {number} dx @param {number} dy */
  const move = (dx, dy) => () => actions.nudge(dx, dy);
  /** @type {[string, string | null, string | null, string[], (() => unknown) | null][]} */
  const rows = [
    ["Tools", "B", "Brush", ["b"], tool("brush")],
    ["Tools", "F", "Fill", ["f"], tool("fill")],
    ["Tools", "L", "Lasso", ["l"], tool("lasso")],
    ["Tools", "S", "Stamp a silhouette", ["s"], tool("stamp")],
    ["Tools", "V", "Select and move", ["v"], tool("select")],
    ["Tools", "I", "Eyedropper (also Alt+click, right click)", ["i"], tool("pipette")],
    ["Tools", "[  ]", "Smaller, larger brush or silhouette", ["["], size(0.8)],
    ["Tools", null, null, ["]"], size(1.25)],
    ["Tools", "X", "Flip the silhouette", ["x"], () => tools.stamp.turn()],
    ["Tools", "A  N  E", "Paint: automatic, new object, extend the selected", ["a"], paint("auto")],
    ["Tools", null, null, ["n"], paint("new")],
    ["Tools", null, null, ["e"], () => store.info(store.selected) && store.set({ painting: "selected" })],
    ["Object", ",  .", "Select the previous, next object", [","], () => actions.step(-1)],
    ["Object", null, null, ["."], () => actions.step(1)],
    ["Object", "T", "Turn it into the class in hand", ["t"], () => actions.relabel(store.label)],
    ["Object", "D", "Duplicate (also Alt+drag)", ["d"], () => actions.duplicate()],
    ["Object", "Del", "Delete", ["delete", "backspace"], () => actions.delete()],
    ["Object", "← → ↑ ↓", "Move by a pixel, with Shift by ten", ["arrowleft"], move(-1, 0)],
    ["Object", null, null, ["arrowright"], move(1, 0)],
    ["Object", null, null, ["arrowup"], move(0, -1)],
    ["Object", null, null, ["arrowdown"], move(0, 1)],
    ["Object", null, null, ["shift+arrowleft"], move(-10, 0)],
    ["Object", null, null, ["shift+arrowright"], move(10, 0)],
    ["Object", null, null, ["shift+arrowup"], move(0, -10)],
    ["Object", null, null, ["shift+arrowdown"], move(0, 10)],
    ["Object", "1 … 9  0", "Give it mode 1 … 10", [], null],
    ["Object", "R", "Random styles for everything", ["r"], () => actions.randomStyles()],
    ["Scene", "Ctrl+Z", "Undo", ["ctrl+z"], () => actions.undo()],
    ["Scene", "Ctrl+Shift+Z", "Redo (also Ctrl+Y)", ["ctrl+shift+z", "ctrl+y"], () => actions.redo()],
    ["Scene", "Ctrl+O", "Open a scene or file", ["ctrl+o"], () => files.open()],
    ["Scene", "Ctrl+S", "Save the scene (zip)", ["ctrl+s"], () => files.save()],
    ["Scene", "Ctrl+E", "Export the picture (PNG)", ["ctrl+e"], () => files.exportPicture()],
    ["View", "Wheel  +  −", "Zoom (Ctrl+wheel while stamping)", ["+", "="], () => view.zoom(1.25)],
    ["View", null, null, ["-"], () => view.zoom(0.8)],
    ["View", "Space+drag", "Move the view (also the middle button)", [], null],
    ["View", "H", "Show the whole scene", ["h"], () => view.fit()],
    ["View", "C", "Compare with the scene as it was opened", ["c"], () => app.compare.toggle()],
    ["View", "\\", "Panes beside or under each other", ["\\"], () => view.turn()],
    ["View", "/", "Search the legend", ["/"], () => byId("legend-search").focus()],
    ["View", "Esc", "Cancel, or select nothing", ["escape"], () => app.pointer.cancel() || store.set({ selected: null })],
    ["View", "?", "This list", ["?"], () => byId("help", HTMLDialogElement).showModal()],
  ];
  return rows.map(([group, shown, text, keys, action]) => ({ group, shown, text: text ?? "", keys, action }));
}

/** @param {KeyboardEvent} event */
function pressed(event) {
  const key = event.key.toLowerCase();
  const control = event.ctrlKey || event.metaKey ? "ctrl+" : "";
  // Shift is a part of signs such as ? and +, but not of letters and named keys.
  const shift = event.shiftKey && (control || key.length > 1) ? "shift+" : "";
  return control + shift + key;
}

/** @param {App} app */
export function listenToKeys(app) {
  const rows = table(app);
  const actions = new Map(rows.flatMap(({ keys, action }) => keys.map((key) => /** @type {const} */ ([key, action]))));
  addEventListener("keydown", (event) => {
    const typing = happenedIn(event, "input[type=search], input[type=text], select, textarea");
    if (event.defaultPrevented || event.altKey || document.querySelector("dialog[open]")) return;
    const name = pressed(event);
    if (typing && !name.startsWith("ctrl+")) return;
    if (happenedIn(event, "input[type=range], input[type=radio]") && name.includes("arrow")) return;
    const digit = /^[0-9]$/.test(name) ? (Number(name) + 9) % 10 : null;
    const action = digit === null ? actions.get(name) : () => app.actions.setStyle(digit);
    if (!action || (event.repeat && !/arrow|\[|\]|ctrl\+|\+|-|,|\./.test(name))) return;
    event.preventDefault();
    if (app.ready() || name === "?") action();
  });
  byId("help-open").addEventListener("click", () => byId("help", HTMLDialogElement).showModal());
  showTable(rows);
}

/** @param {Shortcut[]} rows */
function showTable(rows) {
  const groups = [...new Set(rows.map(({ group }) => group))].map((group) => {
    const lines = rows
      .filter((row) => row.group === group && row.shown)
      .flatMap(({ shown, text }) => [
        make("dt", {}, (shown ?? "").split(/\s\s+/).map((key) => make("kbd", {}, key))),
        make("dd", {}, text),
      ]);
    return make("section", {}, make("h3", {}, group), make("dl", {}, ...lines));
  });
  byId("shortcuts").replaceChildren(...groups);
}
