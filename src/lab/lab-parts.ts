import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from './errno.ts';
import { SERVICE_NETWORK } from './lab-services.ts';
import { pathsOf, type LabPaths } from './lab-state.ts';

/** What a lab runs: which plugins, which daemon, which network. */
export type LabParts = {
  /** The folder of the CNI plugins. */
  readonly binDir: string;
  readonly daemon: (paths: LabPaths) => readonly string[];
  readonly readiness: 'http' | 'socket';
  /** What looks for the cause of a fault on the node, and answers as `leasehold doctor --json` does. */
  readonly doctor: (paths: LabPaths) => readonly string[];
  /** The network configuration list that pods are attached with. */
  readonly conflist: string;
};

/** The parts of a built checkout. */
export function partsOf(root: string): LabParts {
  const binDir = join(root, 'dist', 'cni');
  const program = join(root, 'bin', 'leasehold');
  return {
    binDir,
    daemon: ({ socket, daemonState, daemonConfig }) => [
      program,
      'daemon',
      '--socket',
      socket,
      '--state-dir',
      daemonState,
      '--config',
      daemonConfig,
      '--service-cidr',
      SERVICE_NETWORK,
    ],
    readiness: 'http',
    doctor: ({ socket, netD }) => [
      program,
      'doctor',
      '--json',
      '--socket',
      socket,
      '--cni-conf',
      netD,
      '--cni-bin',
      binDir,
    ],
    conflist: join(root, 'examples', 'leasehold.conflist'),
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
  const [program = ''] = parts.daemon(pathsOf('/'));
  for (const path of [program, parts.binDir, parts.conflist]) {
    if (!(await isThere(path))) return path;
  }
  return undefined;
}
