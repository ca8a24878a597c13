/** Work done side by side, so much of it at once; what has the same key is done in the order in which it came. */
export class SideBySide {
  readonly #atOnce: number;
  readonly #underWay = new Set<Promise<void>>();
  readonly #lastOf = new Map<string, Promise<void>>();

  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /** Resolves when there is a place for the work, which counts while it waits for its key. It must not reject. */
  async add(key: string, work: () => Promise<void>): Promise<void> {
    while (this.#underWay.size >= this.#atOnce) await Promise.race(this.#underWay);
    const before = this.#lastOf.get(key);
    const done = (before === undefined ? work() : before.then(work)).finally(() => {
      this.#underWay.delete(done);
      if (this.#lastOf.get(key) === done) this.#lastOf.delete(key);
    });
    this.#underWay.add(done);
    this.#lastOf.set(key, done);
  }

  /** Resolves when everything that was added is done. */
  async idle(): Promise<void> {
    await Promise.all(this.#underWay);
  }
}
