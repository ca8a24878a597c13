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
  /** Of the folder that is watched: another one may have taken its name since, and its inode's number as well. */
  #watched = '';

  constructor(path: string, changed: () => void) {
    this.path = path;
    this.#changed = changed;
  }

  /** Makes it where it is missing, and watches the one that is there now. `made` is called before it is made. */
  ready(made: () => void): FolderProblem | undefined {
    try {
      if (statSync(this.path, { throwIfNoEntry: false }) === undefined) {
        made();
        this.close();
        mkdirSync(this.path, { recursive: true, mode: FOLDER_MODE });
      }
      const { dev, ino, birthtimeMs, nlink } = statSync(this.path);
      if (nlink === 0) {
        const text = `${this.path}: the node's folder was removed while it is mounted here: this container has to be started anew`;
        return { text, isStuck: true };
      }
      accessSync(this.path, constants.W_OK | constants.X_OK);
      const folder = `${dev}:${ino}:${birthtimeMs}`;
      if (folder !== this.#watched || this.#watcher === undefined) this.#watch(folder);
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

  #watch(folder: string): void {
    this.close();
    this.#watched = folder;
    // What cannot be watched (no inotify instance is left) is looked at from time to time all the same.
    try {
      this.#watcher = watch(this.path, { persistent: false }, () => this.#changed());
      this.#watcher.on('error', () => this.close());
    } catch (error) {
      if (!hasCode(error)) throw error;
    }
  }
}
