import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A private folder (0700) for one test, with a path for the daemon's socket in it. */
export type Folder = AsyncDisposable & {
  readonly path: string;
  readonly socket: string;
  readonly spool: string;
  /** Ends the thing before the folder goes. */
  readonly own: (thing: AsyncDisposable) => void;
};

export async function makeFolder(): Promise<Folder> {
  const folder = await mkdtemp(path.join(tmpdir(), `relay-${process.pid}-`));
  const socket = path.join(folder, 'd.sock');
  const owned = new AsyncDisposableStack();
  owned.defer(() => rm(folder, { recursive: true, force: true }));
  return {
    path: folder,
    socket,
    spool: `${socket}.spool`,
    own: (thing) => {
      owned.use(thing);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** What lies in the spool, in the order in which the daemon would settle it. */
export async function readSpool(folder: Folder): Promise<{ readonly name: string; readonly text: string }[]> {
  const names = (await readdir(folder.spool)).sort();
  return Promise.all(
    names.map(async (name) => ({ name, text: await readFile(path.join(folder.spool, name), 'latin1') })),
  );
}
