import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from './errno.ts';

/** What a lab runs: which plugins, which daemon, which network. */
export type LabParts = {
  /** The folder of the CNI plugins. */
  readonly binDir: string;
  readonly daemon: (socket: string, stateDir: string) => readonly string[];
  readonly readiness: 'http' | 'socket';
  /** The network configuration list that pods are attached with. */
  readonly conflist: string;
};

/** The parts of a built checkout. */
export function partsOf(root: string): LabParts {
  return {
    binDir: join(root, 'dist', 'cni'),
    daemon: (socket, stateDir) => [
      join(root, 'bin', 'leasehold'),
      'daemon',
      '--socket',
      socket,
      '--state-dir',
      stateDir,
    ],
    readiness: 'http',
    conflist: join(root, 'examples', 'home-lab-1.conflist'),
  };
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

/** The first part that is not on disk, to be named with its remedy before anything is made. */
export async function missingPart(parts: LabParts): Promise<string | undefined> {
  const [program = ''] = parts.daemon('', '');
  for (const path of [program, parts.binDir, parts.conflist]) {
    if (!(await isThere(path))) return path;
  }
  return undefined;
}
