import { lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

export type Entry = {
  readonly path: string;
  readonly kind: 'file' | 'folder' | 'link' | 'other';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of a file that begins with the mark of ELF, or with "#!". */
  readonly isProgram: boolean;
};

const PERMISSIONS = 0o7777;
const ELF = '\u007FELF';

/** Everything in a root file system, sorted by path. */
export async function entriesOf(root: string): Promise<readonly Entry[]> {
  const found = await readdir(root, { recursive: true });
  return await Promise.all(
    found.toSorted().map(async (path): Promise<Entry> => {
      const stat = await lstat(join(root, path));
      const kinds = [
        stat.isFile() && 'file',
        stat.isDirectory() && 'folder',
        stat.isSymbolicLink() && 'link',
      ] as const;
      const start = stat.isFile()
        ? (await readFile(join(root, path))).subarray(0, ELF.length).toString('latin1')
        : '';
      return {
        path,
        kind: kinds.find((kind) => kind !== false) ?? 'other',
        mode: stat.mode & PERMISSIONS,
        uid: stat.uid,
        gid: stat.gid,
        isProgram: start === ELF || start.startsWith('#!'),
      };
    }),
  );
}
