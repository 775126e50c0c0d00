/** How often each pair was shown: one that was left, or cut short by a reload, is shown again. */

const nameOf = (token) => `shown-${token}`;

export class Showings {
  #memory;

  constructor(memory) {
    this.#memory = memory;
  }

  /** Note that a participant is shown a trial's pictures now; gives how often that makes. */
  add(token, trial) {
    const counts = this.#memory.get(nameOf(token)) ?? {};
    const count = (counts[trial] ?? 0) + 1;
    this.#memory.set(nameOf(token), { ...counts, [trial]: count });
    return count;
  }

  forget(token) {
    this.#memory.remove(nameOf(token));
  }
}
