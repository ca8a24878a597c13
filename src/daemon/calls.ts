/** The calls of plugins that are being answered. */
export class CallsUnderWay {
  readonly #running = new Set<Promise<unknown>>();

  async track<T>(call: () => Promise<T>): Promise<T> {
    const running = call();
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  /** Settles when those of this moment have ended, or `patienceMs` is over. */
  async ended(patienceMs: number): Promise<void> {
    if (this.#running.size === 0 || patienceMs === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, patienceMs);
    await Promise.race([Promise.allSettled(this.#running), promise]);
    clearTimeout(timer);
  }
}
