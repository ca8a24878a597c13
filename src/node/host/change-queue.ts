import type { SysError } from '../../base/sys-error.ts';
import type { HostChange, HostKernel } from './ports.ts';

type Queued = { readonly changes: readonly HostChange[]; readonly done: PromiseWithResolvers<void> };

/** Changes of many pods that are made together: each change waits for the kernel's lock, a batch waits once. */
export class ChangeQueue {
  readonly #kernel: HostKernel;
  #queue: Queued[] = [];

  constructor(kernel: HostKernel) {
    this.#kernel = kernel;
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  /** Resolves when a flush has made them. Rejects with the SysError of the first that failed. */
  add(changes: readonly HostChange[]): Promise<void> {
    const done = Promise.withResolvers<void>();
    this.#queue.push({ changes, done });
    return done.promise;
  }

  /** Makes all that wait. Never rejects: those who wait hear of it. */
  async flush(): Promise<void> {
    const queue = this.#queue;
    if (queue.length === 0) return;
    this.#queue = [];
    try {
      const outcomes = await this.#kernel.apply(queue.flatMap(({ changes }) => changes));
      let at = 0;
      for (const { changes, done } of queue) {
        const failed = outcomes.slice(at, at + changes.length).find((error) => error !== undefined);
        at += changes.length;
        if (failed === undefined) done.resolve();
        else done.reject(failed);
      }
    } catch (error) {
      for (const { done } of queue) done.reject(error);
    }
  }

  /** Tells all that wait that it will not be done. */
  reject(error: SysError): void {
    for (const { done } of this.#queue.splice(0)) done.reject(error);
  }
}
