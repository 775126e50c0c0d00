/** Puts the page together: frames from the server go to the maps, the panels and the pictures. */
import { Actions } from "./actions.js";
import { Compare } from "./compare.js";
import { Connection, inflate } from "./connection.js";
import { byId } from "./dom.js";
import { Edits } from "./edits.js";
import { Files } from "./files.js";
import { Inspector } from "./inspector.js";
import { LabelCanvas } from "./labels.js";
import { Legend } from "./legend.js";
import { Maps } from "./maps.js";
import { notify } from "./notices.js";
import { Select, Stamp } from "./objects.js";
import { Outlines } from "./outlines.js";
import { Overlay } from "./overlay.js";
import { PictureCanvas } from "./picture.js";
import { Pointer } from "./pointer.js";
import { listenToKeys } from "./shortcuts.js";
import { Status, Timings } from "./status.js";
import { Store } from "./store.js";
import { Styles } from "./styles.js";
import { Toolbar } from "./toolbar.js";
import { Brush, Fill, Lasso, Pipette } from "./tools.js";
import { View } from "./view.js";

const SESSION = "i2ibench-session";

const store = new Store();
const maps = new Maps();
const app = { store, maps, notify, timings: new Timings(), previousTool: "brush" };
const panes = [byId("labels"), byId("picture")];
const labels = new LabelCanvas(byId("label-canvas"), maps);

app.view = new View(byId("stage"), panes[0]);
app.picture = new PictureCanvas(byId("picture-canvas"));
app.outlines = new Outlines(maps);
app.overlay = new Overlay([byId("label-overlay"), byId("picture-overlay")], store, app.view, app.outlines);
app.connection = new Connection({
  hello: () => ({ session: sessionStorage.getItem(SESSION) ?? undefined }),
  frame: receive,
  state: changeState,
});
const report = {
  dirty: redraw,
  failed: (error) => store.online === "connected" && notify(error.message),
  reached: (version, since) => {
    reach(version);
    if (since !== undefined) app.timings.asked(since, version);
  },
};
app.edits = new Edits(app.connection, maps, report, () => store.limits);
app.ready = () => store.online === "connected" && store.label >= 0;
app.settled = () => until(() => app.edits.quiet && app.connection.quiet);
app.tools = {
  brush: new Brush(app), fill: new Fill(app), lasso: new Lasso(app),
  stamp: new Stamp(app), select: new Select(app), pipette: new Pipette(app),
};
app.tool = () => app.tools[store.tool];
app.actions = new Actions(app);
app.status = new Status(app);
app.compare = new Compare(app);
app.files = new Files(app);
const toolbar = new Toolbar(app);
const styles = new Styles(app);
new Legend(store);
new Inspector(app);
app.pointer = new Pointer(app, panes);
listenToKeys(app);

const handlers = { welcome, maps: writeMaps, instances, picture, silhouettes, strip, progress, saved, notice };

function receive(header, payload) {
  return handlers[header.type]?.(header, payload);
}

/** A scene begins: after hello, open and uploads. */
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

async function writeMaps(header, payload) {
  const box = { x: header.x, y: header.y, width: header.width, height: header.height };
  app.picture.accept(header.version);
  reach(header.version);
  if (!box.width) return;
  maps.write(box, await inflate(payload));
  redraw(box);
}

function instances(header) {
  const table = new Map(Object.entries(header.instances).map(([id, info]) => [Number(id), info]));
  app.outlines.clear();
  reach(header.version);
  const selected = table.has(store.selected) ? store.selected : null;
  if (store.label < 0) store.set({ label: largest(table) });
  store.set({ instances: table, canUndo: header.can_undo, canRedo: header.can_redo, selected });
}

async function picture(header, payload) {
  // Not awaited by the connection's chain: maps and answers do not wait for a decoder.
  app.picture.show(header, payload).then((drawn) => {
    if (!drawn) return;
    byId("picture").classList.remove("stale");
    if (header.final) store.set({ progress: null });
    if (app.timings.seen(header.version)) app.status.showTimings();
  });
}

function silhouettes(header, payload) {
  toolbar.receive(header, payload);
}

function strip(header, payload) {
  styles.receive(header, payload);
}

function progress(header) {
  store.set({ progress: header.fraction >= 1 ? null : header.fraction });
}

function saved(header) {
  store.set(header.failed ? { saveFailed: true } : { saved: header.version, saveFailed: false });
}

function notice(header) {
  notify(header.message);
}

function changeState(online, reason) {
  if (online === "refused") notify(reason);
  if (online === "reconnecting") {
    app.pointer.cancel();
    if (app.edits.drop()) notify("The connection broke; the last change may be missing.");
  }
  store.set({ online, progress: null });
}

function reach(version) {
  if (version > store.version) store.set({ version });
}

function redraw(box) {
  app.outlines.clear();
  labels.redraw(box);
  app.overlay.redraw();
}

app.view.addEventListener("change", () => {
  const { x, y, scale } = app.view;
  for (const id of ["label-canvas", "picture-canvas", "before-picture"]) {
    byId(id).style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
  }
});
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

/** The class to begin with: that of the largest object. */
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

async function until(met) {
  while (!met()) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** For tests and the curious: the page's state, and a promise of the moment when nothing is pending. */
window.editor = {
  store, maps, timings: app.timings, view: app.view,
  breakConnection: () => app.connection.close(),
  get width() { return maps.width; },
  get height() { return maps.height; },
  get version() { return store.version; },
  idle: () => until(() => app.ready() && app.edits.quiet && app.connection.quiet && app.picture.quiet &&
    app.picture.version >= store.version),
};
app.connection.open();
