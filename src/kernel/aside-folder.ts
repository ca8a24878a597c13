import { lstat, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** So many are kept for a person to look at; the oldest go. */
const MOST_FILES = 100;

/** Keeps files that were found where they do not belong. Not for two calls at once; rejects as node:fs does. */
export class AsideFolder {
  readonly #path: string;
  /** Oldest first; read on first use. */
  #names: string[] | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Takes a file of that name from `folder`; returns where it is now. */
  async take(folder: string, name: string): Promise<string> {
    this.#names ??= await this.#byAge();
    const free = freeName(name, new Set(this.#names));
    const to = join(this.#path, free);
    await rename(join(folder, name), to);
    this.#names.push(free);
    while (this.#names.length > MOST_FILES) {
      // Also a folder, if that is what was found. A link is removed, not followed.
      await rm(join(this.#path, this.#names.shift() ?? free), { recursive: true, force: true });
    }
    return to;
  }

  async #byAge(): Promise<string[]> {
    const names = await readdir(this.#path);
    // The change time: when it was moved here. The content may be as old as it likes.
    const aged = await Promise.all(
      names.map(async (name) => ({ name, at: (await lstat(join(this.#path, name))).ctimeMs })),
    );
    return aged.toSorted((a, b) => a.at - b.at).map(({ name }) => name);
  }
}

/** One of an earlier time with the same name is not overwritten. */
function freeName(name: string, taken: ReadonlySet<string>): string {
  for (let count = 1, free = name; ; count++) {
    if (!taken.has(free)) return free;
    free = `${name}.${count}`;
  }
}
