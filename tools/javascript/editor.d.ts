// The types that several files of the editor's page share.

type App = import("../../i2ibench/apps/editor/static/app.js").App;
type Store = import("../../i2ibench/apps/editor/static/store.js").Store;
type Maps = import("../../i2ibench/apps/editor/static/maps.js").Maps;
type View = import("../../i2ibench/apps/editor/static/view.js").View;
type Outlines = import("../../i2ibench/apps/editor/static/outlines.js").Outlines;
type Connection = import("../../i2ibench/apps/editor/static/connection.js").Connection;

interface Point {
  x: number;
  y: number;
}

/** A rectangle of pixels. */
interface Box extends Point {
  width: number;
  height: number;
}

/** A line from (x0, y0) to (x1, y1), drawn with a disc. */
interface Line {
  x0: number;
  y0: number;
  x1: number;
  y1: number;
  radius: number;
}

/** A piece of a stroke and what it paints. */
interface Segment extends Line {
  label: number;
  instance: number;
}

/** A silhouette, one byte per pixel. */
interface Mask {
  mask: Uint8Array;
  width: number;
  height: number;
}

interface Silhouette extends Mask {
  name: string;
}

interface SemanticClass {
  name: string;
  colour: number[];
  thing: boolean;
  modes: number;
}

interface InstanceInfo {
  label: number;
  area: number;
  /** left, top, width, height */
  box: [number, number, number, number];
  style: { kind: "vector" | "mode" | "drawn"; mode?: number; source?: string };
}

type Instances = Map<number, InstanceInfo>;
type Fields = Record<string, unknown>;
type Bytes = Uint8Array<ArrayBuffer>;

/** The class and the instance that a tool paints, as the server is told. */
interface PaintTarget {
  label: number;
  instance: number | "auto" | "new";
}

interface Tool {
  cursor: string;
  down(point: Point, event: PointerEvent): void;
  move(point: Point, event: PointerEvent): void;
  up(point: Point, event: PointerEvent): void;
  cancel(): void;
  /** Draw the tool's preview in the scene's coordinates; a screen pixel is 1 / scale wide. */
  draw(context: CanvasRenderingContext2D, scale: number): void;
  wheel?(steps: number): void;
}

type ToolName = "brush" | "fill" | "lasso" | "stamp" | "select" | "pipette";

/** Headers of the frames that the server sends (frames.py). */
interface Done {
  id: number;
  version: number;
  instance?: number;
}

interface WelcomeHeader extends Box {
  session: string;
  scene: string;
  scenes: string[];
  classes: SemanticClass[];
  styles: boolean;
  photo: boolean;
  real_photo: boolean;
  checkpoint: string;
  limits: Partial<Store["limits"]>;
  notes: string[];
}

interface MapsHeader extends Box {
  version: number;
}

interface InstancesHeader {
  instances: Record<string, InstanceInfo>;
  can_undo: boolean;
  can_redo: boolean;
  version: number;
}

interface ImageHeader extends Box {
  scale: number;
  version: number;
  final: boolean;
  seconds: number;
}

interface StripHeader {
  instance: number;
  modes: number;
  width: number;
  height: number;
  approximate: boolean;
}

interface SilhouettesHeader {
  label: number;
  stamps: { name: string; width: number; height: number }[];
}

interface Window {
  /** For tests and for the browser's console. */
  editor: object;
}
