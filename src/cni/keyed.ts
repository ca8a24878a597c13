import { CniError } from './spec/errors.ts';

type Running = {
  readonly verb: 'ADD' | 'DEL';
  readonly fingerprint: string;
  readonly promise: Promise<unknown>;
  readonly abort: AbortController;
  /** ADD: how many callers wait; when the last one hangs up there is nobody left to attach for. */
  waiting: number;
};

/**
 * One operation at a time for each attachment. Two equal ADDs are one; a DEL ends an ADD that runs and wins; an ADD
 * waits for a DEL; a second DEL joins the first.
 */
export class KeyedOperations {
  readonly #running = new Map<string, Running>();

  get size(): number {
    return this.#running.size;
  }

  /** `fingerprint` tells equal ADDs from different ones; `hangUp` aborts when this caller no longer waits. */
  async add<T>(
    key: string,
    fingerprint: string,
    hangUp: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    for (;;) {
      const running = this.#running.get(key);
      if (running === undefined) return this.#join(this.#start(key, 'ADD', fingerprint, work), hangUp);
      if (running.verb === 'ADD' && running.fingerprint === fingerprint) return this.#join(running, hangUp);
      if (running.verb === 'ADD') {
        throw new CniError('try-again', 'another ADD with other parameters runs for this attachment');
      }
      await settled(running.promise);
    }
  }

  async del(key: string, work: () => Promise<void>): Promise<void> {
    for (;;) {
      const running = this.#running.get(key);
      if (running === undefined) {
        await this.#start(key, 'DEL', '', work).promise;
        return;
      }
      if (running.verb === 'DEL') {
        await running.promise;
        return;
      }
      running.abort.abort(
        new CniError('cancelled-by-del', 'a DEL for the same attachment arrived during this ADD'),
      );
      await settled(running.promise);
    }
  }

  /** Waits until nothing runs for this attachment. */
  async quiet(key: string): Promise<void> {
    for (let running = this.#running.get(key); running !== undefined; running = this.#running.get(key)) {
      await settled(running.promise);
    }
  }

  /** Aborts every ADD; for the end of the daemon. */
  async abortAll(): Promise<void> {
    const all = [...this.#running.values()];
    for (const running of all) {
      if (running.verb === 'ADD')
        running.abort.abort(new CniError('try-again', 'the daemon is shutting down'));
    }
    await Promise.all(all.map((running) => settled(running.promise)));
  }

  #start<T>(
    key: string,
    verb: Running['verb'],
    fingerprint: string,
    work: (signal: AbortSignal) => Promise<T>,
  ): Running {
    const abort = new AbortController();
    const promise = work(abort.signal).finally(() => {
      if (this.#running.get(key) === running) this.#running.delete(key);
    });
    const running: Running = { verb, fingerprint, promise, abort, waiting: 0 };
    this.#running.set(key, running);
    // Whoever joins sees the outcome; without a joiner a failure must not end the process.
    promise.catch(() => undefined);
    return running;
  }

  async #join<T>(running: Running, hangUp: AbortSignal): Promise<T> {
    running.waiting += 1;
    const leave = (): void => {
      running.waiting -= 1;
      if (running.waiting === 0) running.abort.abort(new CniError('try-again', 'the caller hung up'));
    };
    hangUp.addEventListener('abort', leave, { once: true });
    if (hangUp.aborted) leave();
    try {
      return (await running.promise) as T;
    } finally {
      hangUp.removeEventListener('abort', leave);
    }
  }
}

async function settled(promise: Promise<unknown>): Promise<void> {
  await Promise.allSettled([promise]);
}
