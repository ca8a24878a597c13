import { accessSync, constants, type FSWatcher, mkdirSync, statSync, watch } from 'node:fs';
import { hasCode } from '../base/os-error.ts';

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
    return this.#attempt(() => {
      if (!this.#isThere) {
        made();
        this.close();
        mkdirSync(this.path, { recursive: true, mode: FOLDER_MODE });
      }
      const problem = this.#look();
      if (problem !== undefined) return problem;
      const { dev, ino, birthtimeMs } = statSync(this.path);
      const folder = `${dev}:${ino}:${birthtimeMs}`;
      if (folder !== this.#watched || this.#watcher === undefined) this.#watch(folder);
      return undefined;
    });
  }

  /** What would be in the way, for who does nothing yet. */
  problem(): FolderProblem | undefined {
    return this.#attempt(() => (this.#isThere ? this.#look() : undefined));
  }

  get #isThere(): boolean {
    return statSync(this.path, { throwIfNoEntry: false }) !== undefined;
  }

  #look(): FolderProblem | undefined {
    if (statSync(this.path).nlink === 0) {
      const text = `${this.path}: the node's folder was removed while it is mounted here: this container has to be started anew`;
      return { text, isStuck: true };
    }
    accessSync(this.path, constants.W_OK | constants.X_OK);
    return undefined;
  }

  #attempt(act: () => FolderProblem | undefined): FolderProblem | undefined {
    try {
      return act();
    } catch (error) {
      if (!hasCode(error)) throw error;
      const remedy =
        error.code === 'EACCES'
          ? 'it has to be owned by root, for this container has no power over files of others (chown root)'
          : "mount the node's folder there, read-write";
      const text = `${this.path} cannot be written to (${error.message}): ${remedy}`;
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
