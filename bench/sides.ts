import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { startDaemon } from '../src/lab/daemon.ts';
import type { HomeLan } from '../src/lab/home-lan.ts';
import { type Host, UPLINK } from '../src/lab/host.ts';
import { signalProcess, stopProcess, type LongProcess } from '../src/lab/long-process.ts';
import type { Namespace } from '../src/lab/namespace.ts';
import { waitFor } from '../src/lab/wait.ts';

export type SideName = 'leasehold' | 'go';
export type Pair<T> = Readonly<Record<SideName, T>>;
/** And the same daemon of ours asked by the plugin type `leasehold`: an address, and the node's part of a pod. */
export type Trio<T> = Pair<T> & { readonly hostSide: T };

/** One set of plugins with its running daemon. */
export type Side = {
  readonly name: SideName;
  /** Its macvlan plugin, or `leasehold`. */
  readonly plugin: string;
  /** The file that it is given: the same bytes for both sides' macvlan plugins. */
  readonly conf: string;
  /** Where the daemon is and the plugin is started. */
  readonly node: Namespace;
  readonly env: Readonly<Record<string, string>>;
  readonly daemon: LongProcess;
  /** Kills the daemon on the spot (SIGKILL) and starts it again where it was; it is ready when this resolves. */
  readonly killAndStart: () => Promise<Side>;
};

/** Where each side's programs are. */
export type Programs = { readonly root: string; readonly goPlugins: string };

/** Both daemons side by side. */
export type Sides = Trio<Side> & { readonly stop: () => Promise<void> };

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

/** A network of services, as clusters have one: so each pod has a route to it. */
const SERVICES = '10.43.0.0/16';
const HOST_SIDE_CONFIGURATION = { cniVersion: '1.0.0', name: 'bench', type: 'leasehold', master: UPLINK };

export type LeaseholdStart = {
  readonly env?: Readonly<Record<string, string>>;
  /** `socket`: started as soon as it takes connections, ready or not. */
  readonly readiness?: 'http' | 'socket';
  /** Words before the daemon's own: a program that executes the rest. */
  readonly wrap?: readonly string[];
  /** By default the home's `node`. */
  readonly node?: Host;
};

/** A daemon of ours: its API can be asked. */
export type LeaseholdSide = Side & { readonly socket: string };

const STATE = 'state';

function leaseholdFolder(lan: HomeLan, label: string): string {
  return join(lan.folder, `leasehold-${label}`);
}

/** Where the daemon with this label keeps its records, one file each. */
export function recordsFolder(lan: HomeLan, label: string): string {
  return join(leaseholdFolder(lan, label), STATE, 'leases');
}

/**
 * SIGKILL: the daemon has no time to do anything. Waits until it is reaped: its first thread is a zombie before the
 * others have ended and let go of the files that they share, the lock among them.
 */
export async function kill(daemon: LongProcess): Promise<void> {
  signalProcess(daemon, 'SIGKILL');
  await waitFor(`${daemon.name} to be gone`, () => daemon.ended() !== undefined, { everyMs: 1 });
}

/** What both macvlan plugins of this label read, and the socket that it names to Go's. */
async function writeConfiguration(
  lan: HomeLan,
  label: string,
): Promise<{ readonly conf: string; readonly goFolder: string; readonly goSocket: string }> {
  const goFolder = join(lan.folder, `go-${label}`);
  await mkdir(goFolder, { recursive: true, mode: 0o700 });
  const goSocket = join(goFolder, 'dhcp.sock');
  const conf = join(goFolder, 'macvlan.json');
  await writeFile(conf, configuration(goSocket));
  return { conf, goFolder, goSocket };
}

/** `bin/leasehold daemon` in the node. The same label again is the same socket and the same stored leases. */
export async function startLeasehold(
  lan: HomeLan,
  root: string,
  label: string,
  start: LeaseholdStart = {},
): Promise<LeaseholdSide> {
  const { env = {}, readiness = 'http', wrap = [], node = lan.node } = start;
  const { conf } = await writeConfiguration(lan, label);
  const folder = leaseholdFolder(lan, label);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const socket = join(folder, 'leasehold.sock');
  const program = join(root, 'bin', 'leasehold');
  const stateDir = ['--state-dir', join(folder, STATE)];
  const daemon = await startDaemon(node.namespace, {
    command: [...wrap, program, 'daemon', '--socket', socket, ...stateDir, '--service-cidr', SERVICES],
    socket,
    logFile: join(folder, 'daemon.log'),
    name: 'leasehold daemon',
    env,
    readiness,
    resources: lan.resources,
  });
  const bin = join(root, 'dist', 'cni');
  const own = { CNI_PATH: bin, LEASEHOLD_SOCKET: socket };
  const killAndStart = async (): Promise<Side> => {
    await kill(daemon);
    return await startLeasehold(lan, root, label, start);
  };
  const plugin = join(bin, 'macvlan');
  return {
    name: 'leasehold',
    plugin,
    conf,
    node: node.namespace,
    env: own,
    daemon,
    socket,
    killAndStart,
  };
}

/** The same daemon, by the plugin type that does the node's part too. */
export async function withHostSide<S extends Side>(lan: HomeLan, side: S): Promise<S> {
  const conf = join(lan.folder, 'leasehold.json');
  await writeFile(conf, JSON.stringify(HOST_SIDE_CONFIGURATION));
  return { ...side, plugin: join(dirname(side.plugin), 'leasehold'), conf };
}

/** Go's `dhcp daemon` in the node; started as soon as it takes connections, which is all that it can tell. */
export async function startGo(
  lan: HomeLan,
  plugins: string,
  label: string,
  node: Host = lan.node,
): Promise<Side> {
  const { conf, goFolder, goSocket } = await writeConfiguration(lan, label);
  const daemon = await startDaemon(node.namespace, {
    command: [join(plugins, 'dhcp'), 'daemon', '-socketpath', goSocket],
    socket: goSocket,
    readiness: 'socket',
    logFile: join(goFolder, 'daemon.log'),
    name: 'Go dhcp daemon',
    resources: lan.resources,
  });
  const killAndStart = async (): Promise<Side> => {
    await kill(daemon);
    // It does not start where a socket file is left.
    await rm(goSocket, { force: true });
    return await startGo(lan, plugins, label, node);
  };
  const plugin = join(plugins, 'macvlan');
  return {
    name: 'go',
    plugin,
    conf,
    node: node.namespace,
    env: { CNI_PATH: plugins },
    daemon,
    killAndStart,
  };
}

/** Starts both daemons, each on its own socket. `label` keeps their folders apart from an earlier pair's. */
export async function startSides(lan: HomeLan, programs: Programs, label: string): Promise<Sides> {
  const leasehold = await startLeasehold(lan, programs.root, label);
  const go = await startGo(lan, programs.goPlugins, label);
  const stop = async (): Promise<void> => {
    await stopProcess(leasehold.daemon);
    await stopProcess(go.daemon);
  };
  return { leasehold, hostSide: await withHostSide(lan, leasehold), go, stop };
}
