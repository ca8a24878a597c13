import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Finding } from '../../../../src/doctor/finding.ts';
import type { NodePlaces } from '../../../../src/doctor/local/places.ts';
import type { DaemonView } from '../../../../src/doctor/local/ports.ts';
import { Namespace } from '../../../../src/lab/namespace.ts';
import { Resources } from '../../../../src/lab/resources.ts';

const CHILD = join(import.meta.dirname, 'look-child.ts');

/** For test(): namespaces can only be made by root. */
export const asRoot = { skip: process.getuid?.() === 0 ? false : 'needs root' } as const;

export type Looked = {
  readonly findings: readonly Finding[];
  readonly subjects: readonly string[];
  readonly uplink?: string;
  readonly services: readonly {
    readonly network: { readonly address: string; readonly prefix: number };
    readonly source: string;
  }[];
};

export type LookOptions = {
  readonly daemon?: Partial<DaemonView>;
  readonly uplink?: string;
  readonly wallClock?: number;
};

/** A machine with an interface eth0 to nowhere, 192.168.77.10/24, and all its files in a folder of its own. */
export type TestNode = {
  readonly namespace: Namespace;
  readonly folder: string;
  readonly places: NodePlaces;
  readonly resources: Resources;
  readonly ip: (...args: readonly string[]) => Promise<string>;
  readonly look: (options?: LookOptions) => Promise<Looked>;
  /** The findings of one id. */
  readonly found: (id: string, options?: LookOptions) => Promise<readonly Finding[]>;
};

export const SHIM_ALIAS = 'leasehold: shim of eth0';

export async function makeNode(t: TestContext, label: string): Promise<TestNode> {
  const resources = new Resources();
  t.after(async () => await resources[Symbol.asyncDispose]());
  const folder = await mkdtemp(join(tmpdir(), `lh${process.pid}-doctor-`));
  resources.add({ kind: 'folder', path: folder });
  const namespace = await Namespace.create(`lh${process.pid}-doc-${label}`, resources);
  const ip = async (...args: readonly string[]): Promise<string> => await namespace.ip(...args);
  // Its link-local addresses would come a second later, in the middle of a comparison.
  for (const key of ['all', 'default'])
    await namespace.run(['sysctl', '-qw', `net.ipv6.conf.${key}.disable_ipv6=1`]);
  await ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'wall');
  for (const name of ['eth0', 'wall']) await ip('link', 'set', name, 'up');
  await ip('addr', 'add', '192.168.77.10/24', 'dev', 'eth0');
  await ip('route', 'add', 'default', 'via', '192.168.77.1');
  const places = await placesIn(folder);
  const look = async (options: LookOptions = {}): Promise<Looked> => {
    const daemon = { socket: join(folder, 'd.sock'), state: 'ready', spooled: 0, ...options.daemon };
    const task = JSON.stringify({ places, ...options, daemon });
    return JSON.parse(await namespace.run([process.execPath, CHILD, task])) as Looked;
  };
  const found = async (id: string, options?: LookOptions): Promise<readonly Finding[]> =>
    (await look(options)).findings.filter((finding) => finding.id === id);
  return { namespace, folder, places, resources, ip, look, found };
}

async function placesIn(folder: string): Promise<NodePlaces> {
  const places = {
    cniConf: join(folder, 'net.d'),
    cniBins: [join(folder, 'bin'), join(folder, 'bin2')],
    goSocket: join(folder, 'dhcp.sock'),
    relay: join(folder, 'relay'),
    apiServerManifest: join(folder, 'kube-apiserver.yaml'),
    k3sConfigs: [join(folder, 'k3s.yaml')],
    k3sConfigFolders: [join(folder, 'k3s.d')],
    kubeconfigs: [{ path: join(folder, 'kubelet.conf'), distribution: 'kubeadm' as const }],
    kubeletConfigs: [join(folder, 'kubelet-config.yaml')],
    kubeletConfigFolders: [],
    k3sConf: join(folder, 'k3s-conf'),
    k3sBins: [join(folder, 'k3s-bin')],
  };
  for (const path of [places.cniConf, ...places.cniBins, ...places.k3sBins, ...places.k3sConfigFolders])
    await mkdir(path);
  return places;
}

/** A shim as the daemon makes it. */
export async function addShim(node: TestNode, name = 'lh0'): Promise<void> {
  await node.ip('link', 'add', 'link', 'eth0', 'name', name, 'type', 'macvlan', 'mode', 'bridge');
  await node.ip('link', 'set', name, 'alias', SHIM_ALIAS);
  await node.ip('link', 'set', name, 'up');
  await node.ip('addr', 'add', '192.168.77.10/32', 'dev', name, 'noprefixroute');
}
