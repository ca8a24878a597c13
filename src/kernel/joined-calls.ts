type Waiting<I, O> = {
  readonly items: readonly I[];
  readonly resolve: (results: readonly O[]) => void;
  readonly reject: (error: unknown) => void;
};

/**
 * One call at a time: what comes while it is under way goes with the next one, at most `most` items together, in the order
 * in which it came. Who comes alone does not wait.
 */
export class JoinedCalls<I, O> {
  readonly #most: number;
  readonly #call: (items: readonly I[]) => Promise<readonly O[]>;
  readonly #waiting: Waiting<I, O>[] = [];
  #underWay = false;

  /** `call` gives one result for each item, in their order; when it rejects, all of them do. */
  constructor(most: number, call: (items: readonly I[]) => Promise<readonly O[]>) {
    this.#most = most;
    this.#call = call;
  }

  /** These stay together, also if they are more than `most`. */
  add(items: readonly I[]): Promise<readonly O[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly O[]>();
    this.#waiting.push({ items, resolve, reject });
    if (!this.#underWay) void this.#callAll();
    return promise;
  }

  async #callAll(): Promise<void> {
    this.#underWay = true;
    while (this.#waiting.length > 0) await this.#callFor(this.#waiting.splice(0, this.#fitting()));
    this.#underWay = false;
  }

  async #callFor(callers: readonly Waiting<I, O>[]): Promise<void> {
    try {
      const results = await this.#call(callers.flatMap(({ items }) => items));
      let at = 0;
      for (const { items, resolve } of callers) resolve(results.slice(at, (at += items.length)));
    } catch (error) {
      for (const { reject } of callers) reject(error);
    }
  }

  /** How many of those that wait go together: one at least. */
  #fitting(): number {
    let items = 0;
    const beyond = this.#waiting.findIndex((waiting) => (items += waiting.items.length) > this.#most);
    return beyond < 0 ? this.#waiting.length : Math.max(1, beyond);
  }
}
