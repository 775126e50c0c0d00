/** Scenes and files: open one of the list, drop or choose a file, save the scene, export the picture. */
import { byId, make } from "./dom.js";

const MANY = 200;

export class Files {
  #app;
  /** @type {((file: File) => void) | null} */
  #chosen = null;

  /** @param {App} app */
  constructor(app) {
    this.#app = app;
    byId("scene-open").addEventListener("click", () => this.open());
    byId("scene-search").addEventListener("input", () => this.#list());
    byId("open-file").addEventListener("click", () => this.#choose(".png,.zip", (file) => this.take([file])));
    byId("styles-photo").addEventListener("click", () => this.#choose("image/png,image/jpeg", (file) => this.photo(file)));
    byId("styles-real").addEventListener("click", () => this.fromPhoto());
    byId("save").addEventListener("click", () => this.save());
    byId("export").addEventListener("click", () => this.exportPicture());
    const input = byId("file", HTMLInputElement);
    input.addEventListener("change", () => {
      if (input.files?.[0]) this.#chosen?.(input.files[0]);
      input.value = "";
    });
    app.store.on(["scenes"], () => this.#list());
    this.#listenToDrops();
  }

  open() {
    byId("scene-search", HTMLInputElement).value = "";
    this.#list();
    byId("scenes", HTMLDialogElement).showModal();
    byId("scene-search").focus();
  }

  /**
   * Files of the user's; a scene or label map comes before what belongs to it.
   * @param {File[]} files
   */
  async take(files) {
    const read = [];
    for (const file of files) {
      const bytes = await this.#read(file);
      if (bytes) read.push({ file, bytes, kind: kindOf(bytes, file.name) });
    }
    /** @param {{ kind: string | null }} kindstringnull */
    const rank = ({ kind }) => ["scene", "label", "instance", "photo"].indexOf(kind ?? "");
    for (const each of read.sort((a, b) => rank(a) - rank(b))) await this.#take(each);
  }

  /** @param {{ file: File, bytes: Bytes, kind: string | null }} fileFilebytesByteskindstringnull */
  async #take({ file, bytes, kind }) {
    if (!kind) {
      this.#app.notify(`${file.name} is no PNG, JPEG or scene file (zip).`);
    } else if (kind === "photo" && !(this.#app.store.styles && this.#app.store.photo)) {
      this.#app.notify(`${file.name} is a colour photo: a label map is a grey or palette PNG of class numbers, and this checkpoint takes no styles from photos.`);
    } else if (kind === "photo") {
      await this.photo(file);
    } else await this.#upload(kind, file.name, bytes);
  }

  /**
   * Take the styles of the chosen objects from a photo of the user's.
   * @param {File} file
   */
  async photo(file) {
    const bytes = await this.#read(file);
    if (bytes && (await this.#upload("photo", file.name, bytes))) await this.fromPhoto();
  }

  /** Take styles from the photo: of the selected object, its class, or everything. */
  async fromPhoto() {
    const target = this.#app.actions.styleTarget() ?? { all: true };
    await this.#app.edits.run("style_from_photo", target);
  }

  async save() {
    await this.#download("scene.zip");
  }

  async exportPicture() {
    await this.#download("picture.png");
  }

  /** @param {File} file */
  async #read(file) {
    const most = this.#app.store.limits.upload_bytes;
    if (file.size > most) {
      this.#app.notify(`${file.name} has ${Math.ceil(file.size / 2 ** 20)} MiB, more than the ${Math.floor(most / 2 ** 20)} MiB that the server takes.`);
      return null;
    }
    try {
      return new Uint8Array(await file.arrayBuffer());
    } catch {
      this.#app.notify(`${file.name} cannot be read; folders cannot be opened.`);
      return null;
    }
  }

  /** @param {string} kind @param {string} name @param {Bytes} bytes */
  #upload(kind, name, bytes) {
    return this.#app.edits.run("upload", { kind, name: name.slice(-200) }, bytes);
  }

  /**
   * The server names the file by scene and time.
   * @param {string} file
   */
  async #download(file) {
    const { store, settled } = this.#app;
    await settled();
    make("a", { href: `export/${store.session}/${file}`, download: "" }).click();
  }

  /** @param {string} accept @param {(file: File) => void} then */
  #choose(accept, then) {
    this.#chosen = then;
    byId("file", HTMLInputElement).accept = accept;
    byId("scenes", HTMLDialogElement).close();
    byId("file").click();
  }

  #list() {
    const { store, edits } = this.#app;
    const wanted = byId("scene-search", HTMLInputElement).value.trim().toLowerCase();
    const found = store.scenes.filter((name) => name.toLowerCase().includes(wanted));
    const rows = found.slice(0, MANY).map((name) => {
      const row = make("button", { type: "button", class: "scene", "aria-current": name === store.scene }, name);
      row.addEventListener("click", () => {
        byId("scenes", HTMLDialogElement).close();
        edits.run("open", { scene: name });
      });
      return row;
    });
    const rest = found.length - rows.length;
    const note = found.length === 0
      ? (store.scenes.length ? "No scene has this name." : "No scenes were given: start with --data FOLDER, or open a label map.")
      : rest > 0 ? `… and ${rest} more: type a part of the name.` : "";
    byId("scene-list").replaceChildren(...rows, ...(note ? [make("p", { class: "empty" }, note)] : []));
  }

  #listenToDrops() {
    let depth = 0;
    /** @param {number} by */
    const shown = (by) => {
      depth = Math.max(0, by === 0 ? 0 : depth + by);
      byId("drop").hidden = depth === 0;
    };
    /** @param {DragEvent} event */
    const files = (event) => event.dataTransfer?.types.includes("Files");
    addEventListener("dragenter", (event) => files(event) && shown(1));
    addEventListener("dragleave", (event) => files(event) && shown(-1));
    addEventListener("dragover", (event) => event.preventDefault());
    addEventListener("drop", (event) => {
      event.preventDefault();
      shown(0);
      this.take([...(event.dataTransfer?.files ?? [])]);
    });
  }
}

/** @param {Bytes} bytes @param {...number} start */
const startsWith = (bytes, ...start) => start.every((value, number) => bytes[number] === value);

/**
 * "scene" for a zip, "photo" for a JPEG or colour PNG; grey and palette PNGs are maps: of instances
 * if their name says so, or if it does not say "label" and they have 16 bits. Null for anything else.
 * @param {Bytes} bytes
 * @param {string} name
 */
export function kindOf(bytes, name) {
  if (startsWith(bytes, 0x50, 0x4b)) return "scene";
  if (startsWith(bytes, 0xff, 0xd8, 0xff)) return "photo";
  if (!startsWith(bytes, 0x89, 0x50, 0x4e, 0x47)) return null;
  const [depth, colour] = [bytes[24], bytes[25]];
  if (colour === 2 || colour === 6) return "photo";
  if (/instance/i.test(name)) return "instance";
  return depth === 16 && !/label/i.test(name) ? "instance" : "label";
}
