import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CniRuntime } from '../../src/lab/cni-runtime.ts';
import { startDaemon } from '../../src/lab/daemon.ts';
import type { HomeLan } from '../../src/lab/home-lan.ts';
import { stopProcess, type LongProcess } from '../../src/lab/long-process.ts';

export const ROOT = join(import.meta.dirname, '..', '..');
/** The relay and its links, as `make build` leaves them. */
export const CNI_BIN = join(ROOT, 'dist', 'cni');
/** Where Debian's containernetworking-plugins puts the Go plugins. */
export const DEBIAN_CNI_BIN = '/usr/lib/cni';

export type RunningLeasehold = {
  readonly socket: string;
  readonly stateDir: string;
  readonly logFile: string;
  readonly runtime: CniRuntime;
  /** Its process now; another one after `restart`. */
  readonly process: () => LongProcess;
  /** SIGTERM and wait. */
  readonly stop: () => Promise<void>;
  /** Stops it if it runs, and starts one on the same socket and state. */
  readonly restart: () => Promise<void>;
};

export type LeaseholdOptions = {
  readonly binDirs?: readonly string[];
  readonly args?: readonly string[];
  /** Stands before the command. */
  readonly within?: readonly string[];
  /** Another program than the checkout's. */
  readonly program?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly readiness?: 'http' | 'socket';
};

/** The daemon in the home's node, and a CNI runtime that calls the relay there. Ends with the home. */
export async function startLeasehold(
  lan: HomeLan,
  options: LeaseholdOptions = {},
): Promise<RunningLeasehold> {
  const folder = join(lan.folder, 'leasehold');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const [socket, stateDir] = [join(folder, 'leasehold.sock'), join(folder, 'state')];
  const logFile = join(folder, 'daemon.log');
  const start = async (): Promise<LongProcess> =>
    await startDaemon(lan.node.namespace, {
      command: [
        ...(options.within ?? []),
        ...(options.program ?? [join(ROOT, 'bin', 'leasehold')]),
        'daemon',
        '--socket',
        socket,
        '--state-dir',
        stateDir,
        ...(options.args ?? []),
      ],
      socket,
      logFile,
      name: 'leasehold daemon',
      ...(options.env === undefined ? {} : { env: options.env }),
      ...(options.readiness === undefined ? {} : { readiness: options.readiness }),
      resources: lan.resources,
    });
  let running = await start();
  const runtime = new CniRuntime({
    place: lan.node.namespace,
    binDirs: options.binDirs ?? [CNI_BIN, DEBIAN_CNI_BIN],
    env: { LEASEHOLD_SOCKET: socket },
  });
  return {
    socket,
    stateDir,
    logFile,
    runtime,
    process: () => running,
    stop: async () => await stopProcess(running),
    restart: async () => {
      await stopProcess(running);
      running = await start();
    },
  };
}
