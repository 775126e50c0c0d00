/** The parts of the page, which know each other through this object. */
import { Actions } from "./actions.js";
import { Compare } from "./compare.js";
import { Connection } from "./connection.js";
import { byId, messageOf } from "./dom.js";
import { Edits } from "./edits.js";
import { Files } from "./files.js";
import { LabelCanvas } from "./labels.js";
import { Maps } from "./maps.js";
import { notify } from "./notices.js";
import { Select, Stamp } from "./objects.js";
import { Outlines } from "./outlines.js";
import { Overlay } from "./overlay.js";
import { PictureCanvas } from "./picture.js";
import { Pointer } from "./pointer.js";
import { Status, Timings } from "./status.js";
import { Store } from "./store.js";
import { Brush, Fill, Lasso, Pipette } from "./tools.js";
import { View } from "./view.js";

export class App {
  store = new Store();
  maps = new Maps();
  timings = new Timings();
  notify = notify;
  /** @type {ToolName} */
  previousTool = "brush";
  /** Called when the silhouette in hand, its size or its side has changed. */
  stampChanged = () => {};

  /** @param {import("./connection.js").Handlers} handlers */
  constructor(handlers) {
    const { store, maps } = this;
    const panes = [byId("labels"), byId("picture")];
    const overlays = [byId("label-overlay", HTMLCanvasElement), byId("picture-overlay", HTMLCanvasElement)];
    this.labels = new LabelCanvas(byId("label-canvas", HTMLCanvasElement), maps);
    this.picture = new PictureCanvas(byId("picture-canvas", HTMLCanvasElement));
    this.view = new View(byId("stage"), panes[0]);
    this.outlines = new Outlines(maps);
    this.overlay = new Overlay(overlays, store, this.view, this.outlines);
    this.connection = new Connection(handlers);
    this.edits = new Edits(this.connection, maps, this.#report(), () => store.limits);
    this.tools = {
      brush: new Brush(this), fill: new Fill(this), lasso: new Lasso(this),
      stamp: new Stamp(this), select: new Select(this), pipette: new Pipette(this),
    };
    this.actions = new Actions(this);
    this.status = new Status(this);
    this.compare = new Compare(this);
    this.files = new Files(this);
    this.pointer = new Pointer(this, panes);
  }

  /** @type {() => Tool} */
  tool = () => this.tools[this.store.tool];

  /** Whether edits can be made now. */
  ready = () => this.store.online === "connected" && this.store.label >= 0;

  /** Wait until the server has answered everything. */
  settled = () => until(() => this.edits.quiet && this.connection.quiet);

  /** Wait until nothing is pending, pictures included. */
  idle = () => until(() => this.ready() && this.edits.quiet && this.connection.quiet && this.picture.quiet &&
    this.picture.version >= this.store.version);

  /** @param {number} version */
  reach(version) {
    if (version > this.store.version) this.store.set({ version });
  }

  /** @param {Box} box */
  redraw(box) {
    this.outlines.clear();
    this.labels.redraw(box);
    this.overlay.redraw();
  }

  /** @returns {import("./edits.js").Report} */
  #report() {
    return {
      dirty: (box) => this.redraw(box),
      failed: (error) => {
        if (this.store.online === "connected") notify(messageOf(error));
      },
      reached: (version, since) => {
        this.reach(version);
        if (since !== undefined) this.timings.asked(since, version);
      },
    };
  }
}

/** @param {() => boolean} met */
async function until(met) {
  while (!met()) await new Promise((resolve) => setTimeout(resolve, 10));
}
