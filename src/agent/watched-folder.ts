import { accessSync, constants, type FSWatcher, mkdirSync, statSync, watch } from 'node:fs';
import { hasCode } from '../install/place.ts';

const FOLDER_MODE = 0o755;

/** What keeps files from being put into a folder. */
export type FolderProblem = {
  readonly text: string;
  /** Nothing that this process does or waits for mends it: the folder that is mounted here is no longer on the node. */
  readonly isStuck: boolean;
};

/** A folder of the node that may be emptied, removed or made anew by others at any time. */
export class WatchedFolder {
  readonly path: string;
  readonly #changed: () => void;
  #watcher: FSWatcher | undefined;
  /** Of the folder that is watched: another one may have taken its name since. */
  #inode: number | undefined;

  constructor(path: string, changed: () => void) {
    this.path = path;
    this.#changed = changed;
  }

  /** Makes it where it is missing, and watches the one that is there now. `made` is called before it is made. */
  ready(made: () => void): FolderProblem | undefined {
    try {
      if (statSync(this.path, { throwIfNoEntry: false }) === undefined) {
        made();
        mkdirSync(this.path, { recursive: true, mode: FOLDER_MODE });
      }
      const { ino, nlink } = statSync(this.path);
      if (nlink === 0) {
        const text = `${this.path}: the node's folder was removed while it is mounted here: this container has to be started anew`;
        return { text, isStuck: true };
      }
      accessSync(this.path, constants.W_OK | constants.X_OK);
      if (ino !== this.#inode || this.#watcher === undefined) this.#watch(ino);
      return undefined;
    } catch (error) {
      if (!hasCode(error)) throw error;
      const text = `${this.path} cannot be written to (${error.message}): mount the node's folder there, read-write`;
      return { text, isStuck: false };
    }
  }

  close(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #watch(inode: number): void {
    this.close();
    this.#inode = inode;
    // What cannot be watched (no inotify instance is left) is looked at from time to time all the same.
    try {
      this.#watcher = watch(this.path, { persistent: false }, () => this.#changed());
      this.#watcher.on('error', () => this.close());
    } catch (error) {
      if (!hasCode(error)) throw error;
    }
  }
}
