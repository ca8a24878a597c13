import type { SysError } from '../../base/sys-error.ts';
import { ChangeQueue } from './change-queue.ts';
import type { HostChange, HostKernel } from './ports.ts';

/** Looks at one uplink and changes there, one thing after another: what came while it was busy is done with it. */
export class SideWorker {
  readonly #look: () => Promise<void>;
  readonly #queue: ChangeQueue;
  #running: Promise<void> | undefined;
  #lookWanted = false;
  #closed = false;

  /** `look` never rejects. */
  constructor(kernel: HostKernel, look: () => Promise<void>) {
    this.#look = look;
    this.#queue = new ChangeQueue(kernel);
  }

  /** A look has begun and is over when this resolves. Never rejects. */
  async look(): Promise<void> {
    this.#lookWanted = true;
    await this.#run();
  }

  /** Within a look: another one follows right after it. */
  lookOnceMore(): void {
    this.#lookWanted = true;
  }

  /** In the kernel when it resolves. Rejects with SysError. */
  async enqueue(changes: readonly HostChange[]): Promise<void> {
    const done = this.#queue.add(changes);
    void this.#run();
    await done;
  }

  #run(): Promise<void> {
    this.#running ??= this.#work().finally(() => {
      this.#running = undefined;
      // Between the last test of the worker and here something may have come.
      if (this.#hasWork) void this.#run();
    });
    return this.#running;
  }

  get #hasWork(): boolean {
    return !this.#closed && (this.#lookWanted || !this.#queue.isEmpty);
  }

  async #work(): Promise<void> {
    while (this.#hasWork) {
      if (this.#lookWanted) {
        this.#lookWanted = false;
        await this.#look();
      }
      await this.#queue.flush();
    }
  }

  /** What has not begun is not done: it rejects with this. */
  async close(error: SysError): Promise<void> {
    this.#closed = true;
    await this.#running;
    this.#queue.reject(error);
  }
}
