/** What this browser keeps of a study; where it may keep nothing, only until the page is closed. */

/** @typedef {Pick<Storage, "getItem" | "setItem" | "removeItem">} Items */

export class Memory {
  #prefix;
  #storage;

  /** @param {string} studyId */
  constructor(studyId) {
    const lasting = lastingStorage();
    this.#prefix = `i2ibench-study-${studyId}-`;
    this.#storage = lasting ?? passingStorage();
    this.lasting = lasting !== null;
  }

  /**
   * The value of a name, or null. Other windows see the same one.
   * @param {string} name
   * @returns {any}
   */
  get(name) {
    const text = this.#storage.getItem(this.#prefix + name);
    return text ? JSON.parse(text) : null;
  }

  /** @param {string} name @param {unknown} value */
  set(name, value) {
    this.#storage.setItem(this.#prefix + name, JSON.stringify(value));
  }

  /** @param {string} name */
  remove(name) {
    this.#storage.removeItem(this.#prefix + name);
  }
}

/** @returns {Items | null} */
function lastingStorage() {
  try {
    localStorage.setItem("i2ibench-study", "1");
    localStorage.removeItem("i2ibench-study");
    return localStorage;
  } catch {
    return null;
  }
}

/**
 * Return a storage that lives as long as the page.
 * @returns {Items}
 */
function passingStorage() {
  const items = new Map();
  return {
    getItem: (name) => items.get(name) ?? null,
    setItem: (name, text) => void items.set(name, text),
    removeItem: (name) => void items.delete(name),
  };
}
