import { tryToLockStateDir } from './daemon-state.ts';
import { now } from './kernel/clock.ts';
import { type FileLock, lockNetworkNamespace } from './kernel/file-lock.ts';
import { tryToClaimSocket } from './listen.ts';

/** How often a standby tries the locks: a trial is two system calls. */
const TRIAL_MS = 20;

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
  const end = now() + patienceMs;
  let isOver = false;
  void stopped.then(() => (isOver = true));
  for (let isFirst = true; ; isFirst = false) {
    const locks = tryLocks(options, isFirst ? early : undefined);
    if (locks !== undefined) return locks;
    if (isFirst) waiting();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, TRIAL_MS);
    await Promise.race([promise, stopped]);
    clearTimeout(timer);
    if (isOver || now() >= end) return undefined;
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
