import { type FSWatcher, watch } from 'node:fs';
import { dirname } from 'node:path';
import { hasCode } from './base/os-error.ts';
import { tryToLockStateDir } from './daemon/state.ts';
import { now } from './kernel/clock.ts';
import { type FileLock, lockNetworkNamespace } from './kernel/file-lock.ts';
import { tryToClaimSocket } from './daemon/listen.ts';

/** How often a standby tries the locks: one that was killed says nothing. */
const TRIAL_MS = 200;
/** The same since a daemon has begun to stop, by what it does with its socket, and for how long. */
const QUICK_TRIAL_MS = 5;
const QUICK_FOR_MS = 5000;

type Places = { readonly socketPath: string; readonly stateDir: string };

/** All locks of a daemon, as soon as they are free; undefined: it was stopped, or `patienceMs` is over. */
export async function waitForLocks(
  options: Places,
  how: {
    readonly early: FileLock | undefined;
    readonly stopped: Promise<unknown>;
    readonly patienceMs: number;
  },
  waiting: () => void,
): Promise<FileLock | undefined> {
  const { early, stopped, patienceMs } = how;
  const first = tryLocks(options, early);
  if (first !== undefined) return first;
  waiting();
  const end = now() + patienceMs;
  using folder = new Stirring(dirname(options.socketPath));
  let isOver = false;
  void stopped.then(() => (isOver = true));
  while (now() < end) {
    await Promise.race([folder.pause(), stopped]);
    if (isOver) return undefined;
    const locks = tryLocks(options);
    if (locks !== undefined) return locks;
  }
  return undefined;
}

/** Pauses that are short once something happens in a folder. */
class Stirring implements Disposable {
  #watcher: FSWatcher | undefined;
  #quickUntil = 0;
  #wake: () => void = () => undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(folder: string) {
    // What cannot be watched is noticed by the slow trials.
    try {
      this.#watcher = watch(folder, { persistent: false }, () => {
        this.#quickUntil = now() + QUICK_FOR_MS;
        this.#wake();
      });
      this.#watcher.on('error', () => this.#watcher?.close());
    } catch (error) {
      if (!hasCode(error)) throw error;
    }
  }

  async pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const isQuick = now() < this.#quickUntil;
    this.#timer = setTimeout(resolve, isQuick ? QUICK_TRIAL_MS : TRIAL_MS);
    this.#wake = isQuick ? () => undefined : resolve;
    await promise;
    clearTimeout(this.#timer);
  }

  [Symbol.dispose](): void {
    this.#watcher?.close();
    clearTimeout(this.#timer);
  }
}

/** The socket's first: the relay sees by it that a daemon is on its way. Throws an Error for what is not merely taken. */
export function tryLocks({ socketPath, stateDir }: Places, early?: FileLock): FileLock | undefined {
  const held: FileLock[] = [];
  const release = (): void => {
    for (const lock of held.toReversed()) lock.release();
  };
  const take = (lock: FileLock | undefined): boolean => {
    if (lock === undefined) release();
    else held.push(lock);
    return lock !== undefined;
  };
  if (!take(early ?? tryToClaimSocket(socketPath)) || !take(tryToLockStateDir(stateDir))) return undefined;
  const node = lockNetworkNamespace();
  if (!node.ok && node.error.code !== 'EWOULDBLOCK') throw node.error;
  return take(node.ok ? node.value : undefined) ? { release } : undefined;
}
