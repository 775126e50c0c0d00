/** How often each pair was shown: one that was left, or cut short by a reload, is shown again. */

/** @param {string} token */
const nameOf = (token) => `shown-${token}`;

export class Showings {
  #memory;

  /** @param {Memory} memory */
  constructor(memory) {
    this.#memory = memory;
  }

  /**
   * Note that a participant is shown a trial's pictures now; gives how often that makes.
   * @param {string} token
   * @param {number} trial
   */
  add(token, trial) {
    const counts = this.#memory.get(nameOf(token)) ?? {};
    const count = (counts[trial] ?? 0) + 1;
    this.#memory.set(nameOf(token), { ...counts, [trial]: count });
    return count;
  }

  /** @param {string} token */
  forget(token) {
    this.#memory.remove(nameOf(token));
  }
}
