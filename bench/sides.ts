import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startDaemon } from '../src/lab/daemon.ts';
import type { HomeLan } from '../src/lab/home-lan.ts';
import { UPLINK } from '../src/lab/host.ts';
import { stopProcess, type LongProcess } from '../src/lab/long-process.ts';

export type SideName = 'leasehold' | 'go';
export type Pair<T> = Readonly<Record<SideName, T>>;

/** One set of plugins with its running daemon. */
export type Side = {
  readonly name: SideName;
  /** Its macvlan plugin. */
  readonly plugin: string;
  readonly env: Readonly<Record<string, string>>;
  readonly daemon: LongProcess;
};

/** Where each side's programs are. */
export type Programs = { readonly root: string; readonly goPlugins: string };

/** Both daemons side by side, and the configuration that both sides' plugins read. */
export type Sides = Pair<Side> & { readonly conf: string; readonly stop: () => Promise<void> };

/** The same bytes for both: Leasehold's relay is told its socket by LEASEHOLD_SOCKET, which goes before. */
function configuration(goSocket: string): string {
  return JSON.stringify({
    cniVersion: '1.0.0',
    name: 'bench',
    type: 'macvlan',
    master: UPLINK,
    ipam: { type: 'dhcp', daemonSocketPath: goSocket },
  });
}

/** `bin/leasehold daemon` in the node. */
export async function startLeasehold(
  lan: HomeLan,
  root: string,
  label: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Side> {
  const folder = join(lan.folder, `leasehold-${label}`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const socket = join(folder, 'leasehold.sock');
  const program = join(root, 'bin', 'leasehold');
  const daemon = await startDaemon(lan.node.namespace, {
    command: [program, 'daemon', '--socket', socket, '--state-dir', join(folder, 'state')],
    socket,
    logFile: join(folder, 'daemon.log'),
    name: 'leasehold daemon',
    env,
    resources: lan.resources,
  });
  const bin = join(root, 'dist', 'cni');
  const own = { CNI_PATH: bin, LEASEHOLD_SOCKET: socket };
  return { name: 'leasehold', plugin: join(bin, 'macvlan'), env: own, daemon };
}

async function startGo(lan: HomeLan, plugins: string, socket: string, folder: string): Promise<Side> {
  const daemon = await startDaemon(lan.node.namespace, {
    command: [join(plugins, 'dhcp'), 'daemon', '-socketpath', socket],
    socket,
    readiness: 'socket',
    logFile: join(folder, 'daemon.log'),
    name: 'Go dhcp daemon',
    resources: lan.resources,
  });
  return { name: 'go', plugin: join(plugins, 'macvlan'), env: { CNI_PATH: plugins }, daemon };
}

/** Starts both daemons, each on its own socket. `label` keeps their folders apart from an earlier pair's. */
export async function startSides(lan: HomeLan, programs: Programs, label: string): Promise<Sides> {
  const folder = join(lan.folder, `go-${label}`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const goSocket = join(folder, 'dhcp.sock');
  const conf = join(folder, 'macvlan.json');
  await writeFile(conf, configuration(goSocket));
  const leasehold = await startLeasehold(lan, programs.root, label);
  const go = await startGo(lan, programs.goPlugins, goSocket, folder);
  const stop = async (): Promise<void> => {
    await stopProcess(leasehold.daemon);
    await stopProcess(go.daemon);
  };
  return { leasehold, go, conf, stop };
}
