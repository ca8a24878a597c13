import type { FileLock } from '../kernel/file-lock.ts';
import { stopSignal } from './signals.ts';
import { lockNode, lockStateDir } from './state.ts';

/** How a daemon takes its place on a node and leaves it. */
export type DaemonLife = {
  /** Takes the locks of the state folder and of the node; undefined: it was stopped while it waited for them. */
  readonly lock: () => Promise<FileLock | undefined>;
  /** Called before anything of it is visible; settles with the signal. */
  readonly stopped: () => Promise<string>;
  /** It takes requests from now on. `fitness`: why no pod can be attached all the same. */
  readonly ready: (fitness: () => Promise<string | undefined>) => void;
  /** Nothing is taken any more: what of the end has to wait for nobody begins. */
  readonly stopping: () => void;
  /** How long calls that are under way may go on when it stops, before they are broken off. */
  readonly patienceMs: number;
  /** The socket stays when it stops: another daemon is to come. */
  readonly leavesSocket: boolean;
  /** All is closed, and the locks are still held. */
  readonly last: () => Promise<void>;
};

/** The only daemon of a node, which another one refuses to stand beside. */
export function alone(stateDir: string): DaemonLife {
  return {
    lock: () => {
      const state = lockStateDir(stateDir);
      try {
        const node = lockNode();
        return Promise.resolve({
          release: () => {
            node.release();
            state.release();
          },
        });
      } catch (error) {
        state.release();
        throw error;
      }
    },
    stopped: () => stopSignal(),
    ready: () => undefined,
    stopping: () => undefined,
    patienceMs: 0,
    leavesSocket: false,
    last: () => Promise.resolve(),
  };
}
