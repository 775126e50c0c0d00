/** Puts the page together: frames from the server go to the maps, the panels and the pictures. */
import { App } from "./app.js";
import { inflate } from "./connection.js";
import { byId } from "./dom.js";
import { Inspector } from "./inspector.js";
import { Legend } from "./legend.js";
import { notify } from "./notices.js";
import { listenToKeys } from "./shortcuts.js";
import { Styles } from "./styles.js";
import { Toolbar } from "./toolbar.js";

const SESSION = "i2ibench-session";

const app = new App({
  hello: () => ({ session: sessionStorage.getItem(SESSION) ?? undefined }),
  frame: receive,
  state: changeState,
});
const { store, maps, labels } = app;
const toolbar = new Toolbar(app);
const styles = new Styles(app);
new Legend(store);
new Inspector(app);
listenToKeys(app);

/** @type {Record<string, (header: any, payload: Bytes) => void | Promise<void>>} */
const handlers = { welcome, maps: writeMaps, instances, picture, silhouettes, strip, progress, saved, notice };

/** @param {any} header @param {Bytes} payload */
function receive(header, payload) {
  return handlers[header.type]?.(header, payload);
}

/**
 * A scene begins: after hello, open and uploads.
 * @param {WelcomeHeader} header
 */
function welcome(header) {
  sessionStorage.setItem(SESSION, header.session);
  app.timings.forget();
  app.compare.forget();
  app.picture.begin(header.width, header.height);
  maps.resize(header.width, header.height);
  labels.setColours(header.classes.map(({ colour }) => colour));
  labels.resize(header.width, header.height);
  byId("picture").classList.add("stale");
  const { session, scene, scenes, classes, checkpoint, photo, limits, width, height } = header;
  const same = JSON.stringify(classes) === JSON.stringify(store.classes);
  store.set({
    session, scene, scenes, checkpoint, photo, width, height,
    classes: same ? store.classes : classes,
    styles: header.styles, realPhoto: Boolean(header.real_photo), limits: { ...store.limits, ...limits },
    version: 0, saved: -1, saveFailed: false, selected: null, hovered: null, instances: new Map(), progress: null, compare: "off",
    label: store.label < classes.length ? store.label : -1,
  });
  toolbar.forgetTrays();
  app.view.setScene(width, height);
  for (const note of header.notes ?? []) notify(note, "note");
}

/** @param {MapsHeader} header @param {Bytes} payload */
async function writeMaps(header, payload) {
  const box = { x: header.x, y: header.y, width: header.width, height: header.height };
  app.picture.accept(header.version);
  app.reach(header.version);
  if (!box.width) return;
  maps.write(box, await inflate(payload));
  app.redraw(box);
}

/** @param {InstancesHeader} header */
function instances(header) {
  const table = new Map(Object.entries(header.instances).map(([id, info]) => [Number(id), info]));
  app.outlines.clear();
  app.reach(header.version);
  const selected = store.selected !== null && table.has(store.selected) ? store.selected : null;
  if (store.label < 0) store.set({ label: largest(table) });
  store.set({ instances: table, canUndo: header.can_undo, canRedo: header.can_redo, selected });
}

/** @param {ImageHeader} header @param {Bytes} payload */
async function picture(header, payload) {
  // Not awaited by the connection's chain: maps and answers do not wait for a decoder.
  app.picture.show(header, payload).then((drawn) => {
    if (!drawn) return;
    byId("picture").classList.remove("stale");
    if (header.final) store.set({ progress: null });
    if (app.timings.seen(header.version)) app.status.showTimings();
  });
}

/** @param {SilhouettesHeader} header @param {Bytes} payload */
function silhouettes(header, payload) {
  toolbar.receive(header, payload);
}

/** @param {StripHeader} header @param {Bytes} payload */
function strip(header, payload) {
  styles.receive(header, payload);
}

/** @param {{ fraction: number }} header */
function progress(header) {
  store.set({ progress: header.fraction >= 1 ? null : header.fraction });
}

/** @param {{ version: number, failed?: boolean }} header */
function saved(header) {
  store.set(header.failed ? { saveFailed: true } : { saved: header.version, saveFailed: false });
}

/** @param {{ message: string }} header */
function notice(header) {
  notify(header.message);
}

/** @param {string} online @param {string} [reason] */
function changeState(online, reason) {
  if (online === "refused") notify(reason ?? "The server refuses this page.");
  if (online === "reconnecting") {
    app.pointer.cancel();
    if (app.edits.drop()) notify("The connection broke; the last change may be missing.");
  }
  store.set({ online, progress: null });
}

app.view.addEventListener("change", () => {
  const { x, y, scale } = app.view;
  for (const id of ["label-canvas", "picture-canvas", "before-picture"]) {
    byId(id).style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
  }
});
/** @type {ToolName} */
let previous = store.tool;
store.addEventListener("tool", () => {
  if (previous !== "pipette") app.previousTool = previous;
  previous = store.tool;
  if (store.tool === "stamp" && !store.classes[store.label]?.thing) chooseThing();
});
for (const [id, run] of Object.entries({
  undo: () => app.actions.undo(), redo: () => app.actions.redo(), reset: () => app.actions.reset(),
  fit: () => app.view.fit(), turn: () => app.view.turn(),
})) {
  byId(id).addEventListener("click", run);
}

/**
 * The class to begin with: that of the largest object.
 * @param {Instances} table
 */
function largest(table) {
  const objects = [...table.values()];
  return objects.reduce((best, info) => (info.area > best.area ? info : best), objects[0]).label;
}

/** Stamps are of things: take the one of which the scene has most. */
function chooseThing() {
  const amounts = new Map();
  for (const { label } of store.instances.values()) amounts.set(label, (amounts.get(label) ?? 0) + 1);
  const things = store.classes.flatMap(({ thing }, number) => (thing ? [number] : []));
  const best = things.sort((a, b) => (amounts.get(b) ?? 0) - (amounts.get(a) ?? 0))[0];
  if (best !== undefined) store.set({ label: best });
}

window.editor = {
  store, maps, timings: app.timings, view: app.view, idle: app.idle,
  breakConnection: () => app.connection.close(),
  get width() { return maps.width; },
  get height() { return maps.height; },
  get version() { return store.version; },
};
app.connection.open();
