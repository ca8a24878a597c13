import { CniError } from './spec/errors.ts';
import type { CniResult } from './spec/result.ts';

type Add = {
  readonly verb: 'ADD';
  readonly fingerprint: string;
  readonly promise: Promise<CniResult>;
  readonly abort: AbortController;
  /** How many callers wait; when the last one hangs up there is nobody left to attach for. */
  waiting: number;
};
type Del = { readonly verb: 'DEL'; readonly promise: Promise<void> };
/** Whatever its outcome, the promise is kept. */
type Alone = { readonly verb: 'ALONE'; readonly promise: Promise<void> };

/**
 * One operation at a time for each attachment. Two equal ADDs are one; a DEL ends an ADD that runs and wins; an ADD
 * waits for a DEL; a second DEL joins the first.
 */
export class KeyedOperations {
  readonly #running = new Map<string, Add | Del | Alone>();
  #closed = false;

  /** `fingerprint` tells equal ADDs from different ones; `hangUp` aborts when this caller no longer waits. */
  async add(
    key: string,
    fingerprint: string,
    hangUp: AbortSignal,
    work: (signal: AbortSignal) => Promise<CniResult>,
  ): Promise<CniResult> {
    for (;;) {
      if (this.#closed) throw shuttingDown();
      const running = this.#running.get(key);
      if (running === undefined) return join(this.#startAdd(key, fingerprint, work), hangUp);
      if (running.verb !== 'ADD') await settled(running);
      else if (running.fingerprint === fingerprint && !running.abort.signal.aborted)
        return join(running, hangUp);
      else if (running.fingerprint === fingerprint) await settled(running);
      else throw new CniError('try-again', 'another ADD with another CNI_NETNS runs for this attachment');
    }
  }

  async del(key: string, work: () => Promise<void>): Promise<void> {
    for (;;) {
      const running = this.#running.get(key);
      if (running === undefined) return this.#track(key, { verb: 'DEL', promise: work() });
      if (running.verb === 'DEL') return running.promise;
      if (running.verb === 'ALONE') {
        await settled(running);
        continue;
      }
      running.abort.abort(
        new CniError('cancelled-by-del', 'a DEL for the same attachment arrived during this ADD'),
      );
      await settled(running);
    }
  }

  /** Waits until nothing runs for this attachment. */
  async quiet(key: string): Promise<void> {
    for (let running = this.#running.get(key); running !== undefined; running = this.#running.get(key)) {
      await settled(running);
    }
  }

  /** Runs `work` while nothing else runs for this attachment, and keeps others waiting meanwhile. */
  async alone<T>(key: string, work: () => Promise<T>): Promise<T> {
    // Who waited too may have begun between the end of that wait and the next line.
    while (this.#running.has(key)) await this.quiet(key);
    if (this.#closed) throw shuttingDown();
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    // Like a DEL in that an ADD and a CHECK wait for it; a DEL that comes meanwhile has its turn after it.
    const running: Alone = { verb: 'ALONE', promise: work().then(resolve, reject) };
    void this.#track(key, running);
    return promise;
  }

  /** Aborts every ADD, takes no more, and waits for the end of all that runs or waits; for the end of the daemon. */
  async abortAll(): Promise<void> {
    this.#closed = true;
    while (this.#running.size > 0) {
      const all = [...this.#running.values()];
      for (const running of all) if (running.verb === 'ADD') running.abort.abort(shuttingDown());
      await Promise.all(all.map(settled));
    }
  }

  #startAdd(key: string, fingerprint: string, work: (signal: AbortSignal) => Promise<CniResult>): Add {
    const abort = new AbortController();
    const running: Add = { verb: 'ADD', fingerprint, promise: work(abort.signal), abort, waiting: 0 };
    void this.#track(key, running);
    return running;
  }

  /** Known while it runs. Resolves with it and never rejects unheard: whoever joined sees the outcome. */
  #track(key: string, running: Add | Del | Alone): Promise<void> {
    this.#running.set(key, running);
    const ended = settled(running).then(() => {
      if (this.#running.get(key) === running) this.#running.delete(key);
    });
    return running.verb === 'DEL' ? ended.then(() => running.promise) : ended;
  }
}

async function join(running: Add, hangUp: AbortSignal): Promise<CniResult> {
  running.waiting += 1;
  const leave = (): void => {
    running.waiting -= 1;
    if (running.waiting === 0) running.abort.abort(new CniError('try-again', 'the caller hung up'));
  };
  if (hangUp.aborted) leave();
  else hangUp.addEventListener('abort', leave, { once: true });
  try {
    return await running.promise;
  } finally {
    hangUp.removeEventListener('abort', leave);
  }
}

async function settled(running: Add | Del | Alone): Promise<void> {
  await Promise.allSettled([running.promise]);
}

function shuttingDown(): CniError {
  return new CniError('try-again', 'the daemon is shutting down');
}
