import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { containerd, CONTAINERD_2, type ContainerdVersion } from '../e2e/support/cri/containerd.ts';
import { buildPodImage } from '../e2e/support/cri/pod-image.ts';
import type { NodeSpace } from '../e2e/support/cri/node-space.ts';
import type { Runtime } from '../e2e/support/cri/runtime.ts';
import type { JsonObject } from '../src/base/json.ts';
import { startDaemon } from '../src/lab/daemon.ts';
import type { HomeLan } from '../src/lab/home-lan.ts';
import { UPLINK } from '../src/lab/host.ts';
import { startLeasehold } from '../tests/support/leasehold.ts';

/** Whose plugins make a sandbox's network; each is a runtime handler of the one containerd, with a configuration of its own. */
export const SIDES = ['nothing', 'leasehold', 'dropin', 'go'] as const;
export type SideName = (typeof SIDES)[number];
export type Each<T> = Readonly<Record<SideName, T>>;

/** Parts of the node's cgroup, whose processor time is counted: both daemons, and the runtime with all that it starts. */
export const PARTS = ['leasehold', 'go', 'runtime', 'pods'] as const;

/** A network of services, as clusters have one. */
const SERVICES = '10.43.0.0/16';

const PLUGINS = (goSocket: string): Each<JsonObject> => ({
  nothing: { type: 'fixed-result' },
  leasehold: { type: 'leasehold', master: UPLINK },
  dropin: { type: 'macvlan', master: UPLINK, ipam: { type: 'dhcp' } },
  // Under other names, for ours are called as theirs.
  go: { type: 'go-macvlan', master: UPLINK, ipam: { type: 'go-dhcp', daemonSocketPath: goSocket } },
});

function confFolder(conf: string, side: SideName): string {
  return `${conf}-${side}`;
}

/** containerd 2 with a runtime handler for each side, which differ only in their CNI configuration. */
const WITH_HANDLERS: ContainerdVersion = {
  ...CONTAINERD_2,
  configuration: (place) => {
    const handlers = SIDES.map((side) => {
      const table = `plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.${side}`;
      return `[${table}]
  runtime_type = "io.containerd.runc.v2"
  cni_conf_dir = "${confFolder(place.conf, side)}"
  [${table}.options]
    BinaryName = "${place.runc}"
`;
    });
    return `${CONTAINERD_2.configuration(place)}${handlers.join('')}`;
  },
};

export type CriPrograms = { readonly root: string; readonly goPlugins: string; readonly fixedResult: string };

function list(name: string, plugin: JsonObject): string {
  return JSON.stringify({ cniVersion: '1.0.0', name, plugins: [plugin] });
}

async function makeFolders(
  folder: string,
  programs: CriPrograms,
  goSocket: string,
): Promise<{ readonly bin: string; readonly conf: string }> {
  const cni = { bin: join(folder, 'cni-bin'), conf: join(folder, 'cni-conf') };
  await mkdir(cni.bin, { recursive: true });
  const links = {
    ...Object.fromEntries(
      ['leasehold', 'macvlan', 'dhcp'].map((name) => [name, join(programs.root, 'dist', 'cni', name)]),
    ),
    'go-macvlan': join(programs.goPlugins, 'macvlan'),
    'go-dhcp': join(programs.goPlugins, 'dhcp'),
    loopback: join(programs.goPlugins, 'loopback'),
    'fixed-result': programs.fixedResult,
  };
  for (const [name, target] of Object.entries(links)) await symlink(target, join(cni.bin, name));
  const plugins = PLUGINS(goSocket);
  for (const side of SIDES) {
    await mkdir(confFolder(cni.conf, side), { recursive: true });
    await writeFile(join(confFolder(cni.conf, side), '05.conflist'), list(side, plugins[side]));
  }
  // The default handler's, which nobody asks for.
  await mkdir(cni.conf, { recursive: true });
  await writeFile(join(cni.conf, '05.conflist'), list('nothing', plugins.nothing));
  return cni;
}

/** Both daemons and a containerd on the node; they end with the LAN and the space. */
export async function startSides(lan: HomeLan, space: NodeSpace, programs: CriPrograms): Promise<Runtime> {
  const goSocket = join(space.folder, 'go-dhcp.sock');
  const within = (part: string): readonly string[] => [...space.cgroup.within(part), ...space.mounts];
  const leasehold = await startLeasehold(lan, {
    within: within('leasehold'),
    args: ['--service-cidr', SERVICES],
  });
  await startDaemon(lan.node.namespace, {
    command: [...within('go'), join(programs.goPlugins, 'dhcp'), 'daemon', '-socketpath', goSocket],
    socket: goSocket,
    readiness: 'socket',
    logFile: join(space.folder, 'go-dhcp.log'),
    name: 'Go dhcp daemon',
    resources: lan.resources,
  });
  const cni = await makeFolders(space.folder, programs, goSocket);
  const image = await buildPodImage(join(space.folder, 'image'));
  const env = { LEASEHOLD_SOCKET: leasehold.socket };
  return await containerd(WITH_HANDLERS)({ space, cni, image, env });
}
