/** What this browser keeps of a study; where it may keep nothing, only until the page is closed. */

export class Memory {
  #prefix;
  #storage;

  constructor(studyId) {
    this.#prefix = `i2ibench-study-${studyId}-`;
    this.#storage = lastingStorage() ?? new Map();
    this.lasting = this.#storage instanceof Storage;
  }

  /** The value of a name, or null. Other windows see the same one. */
  get(name) {
    const key = this.#prefix + name;
    const text = this.lasting ? this.#storage.getItem(key) : this.#storage.get(key);
    return text ? JSON.parse(text) : null;
  }

  set(name, value) {
    const key = this.#prefix + name;
    const text = JSON.stringify(value);
    if (this.lasting) this.#storage.setItem(key, text);
    else this.#storage.set(key, text);
  }

  remove(name) {
    const key = this.#prefix + name;
    if (this.lasting) this.#storage.removeItem(key);
    else this.#storage.delete(key);
  }
}

function lastingStorage() {
  try {
    localStorage.setItem("i2ibench-study", "1");
    localStorage.removeItem("i2ibench-study");
    return localStorage;
  } catch {
    return null;
  }
}
