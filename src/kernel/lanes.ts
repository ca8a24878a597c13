/** Lets at most `limit` tasks run at once; the others wait in the order in which they came. */
export class Lane {
  readonly #limit: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(limit: number) {
    this.#limit = Math.max(1, limit);
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#limit) {
      // The one who leaves hands its place over, so the count stays.
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      await promise;
    } else {
      this.#running++;
    }
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}

/** libuv's own default (docs of UV_THREADPOOL_SIZE). */
const THREADS_DEFAULT = 4;
/** Threads that slow calls never take: for files and quick netlink requests. Stored leases and messages need none. */
const THREADS_KEPT_FREE = 1;
/** Beside the slow ones, as many as are cheap. Nearly all of them wait for one lock anyway. */
const QUICK_AT_ONCE = 8;

const threads = Number(process.env['UV_THREADPOOL_SIZE'] ?? THREADS_DEFAULT) || THREADS_DEFAULT;

/** Calls that take well under a millisecond unless they wait for the kernel's RTNL lock. */
export const quickLane = new Lane(QUICK_AT_ONCE);

/**
 * Calls that wait for RCU grace periods, 16 ms and more each (RTM_DELLINK, close of a packet socket): there are as
 * many of them a second as threads for them. In a lane of their own, so that a hundred containers that go do not hold up
 * one that comes or a lease that is stored.
 */
export const slowLane = new Lane(threads - THREADS_KEPT_FREE);
