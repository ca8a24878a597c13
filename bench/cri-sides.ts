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

/** Whose plugins make a sandbox's network; each is a runtime handler with a configuration of its own. */
export const SIDES = ['nothing', 'leasehold', 'dropin', 'go'] as const;
export type SideName = (typeof SIDES)[number];
export type Each<T> = Readonly<Record<SideName, T>>;

/**
 * A containerd has one plugin folder for all its handlers, and calls the `loopback` in it for each sandbox. So there are two:
 * one with what an install of Leasehold gives, which has its own, and one with the Go plugins.
 */
const INSTALLS = {
  leasehold: ['nothing', 'leasehold', 'dropin'],
  go: ['go'],
} as const satisfies Readonly<Record<string, readonly SideName[]>>;
type Install = keyof typeof INSTALLS;

/** Parts of the node's cgroup, whose processor time is counted: both daemons, and the runtimes with all that they start. */
export const PARTS = ['leasehold', 'go', 'runtime', 'pods'] as const;

/** A network of services, as clusters have one. */
const SERVICES = '10.43.0.0/16';

const PLUGINS = (goSocket: string): Each<JsonObject> => ({
  nothing: { type: 'fixed-result' },
  leasehold: { type: 'leasehold', master: UPLINK },
  dropin: { type: 'macvlan', master: UPLINK, ipam: { type: 'dhcp' } },
  go: { type: 'macvlan', master: UPLINK, ipam: { type: 'dhcp', daemonSocketPath: goSocket } },
});

function confFolder(conf: string, side: SideName): string {
  return `${conf}-${side}`;
}

/** containerd 2 with a runtime handler for each side of an install, which differ only in their CNI configuration. */
function withHandlers(install: Install): ContainerdVersion {
  return {
    ...CONTAINERD_2,
    name: `${CONTAINERD_2.name} ${install}`,
    configuration: (place) => {
      const handlers = INSTALLS[install].map((side) => {
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
}

export type CriPrograms = { readonly root: string; readonly goPlugins: string; readonly fixedResult: string };

function list(name: string, plugin: JsonObject): string {
  return JSON.stringify({ cniVersion: '1.0.0', name, plugins: [plugin] });
}

/** The plugins of an install by their names in its folder, and where they are. */
function linksOf(
  install: Install,
  { root, goPlugins, fixedResult }: CriPrograms,
): readonly [string, string][] {
  const ours = ['leasehold', 'macvlan', 'dhcp', 'loopback'].map((name): [string, string] => [
    name,
    join(root, 'dist', 'cni', name),
  ]);
  const theirs = ['macvlan', 'dhcp', 'loopback'].map((name): [string, string] => [
    name,
    join(goPlugins, name),
  ]);
  return [...(install === 'go' ? theirs : ours), ['fixed-result', fixedResult]];
}

async function makeFolders(
  space: string,
  install: Install,
  programs: CriPrograms,
  goSocket: string,
): Promise<{ readonly bin: string; readonly conf: string }> {
  const folder = join(space, install);
  const cni = { bin: join(folder, 'cni-bin'), conf: join(folder, 'cni-conf') };
  await mkdir(cni.bin, { recursive: true });
  for (const [name, target] of linksOf(install, programs)) await symlink(target, join(cni.bin, name));
  const plugins = PLUGINS(goSocket);
  for (const side of INSTALLS[install]) {
    await mkdir(confFolder(cni.conf, side), { recursive: true });
    await writeFile(join(confFolder(cni.conf, side), '05.conflist'), list(side, plugins[side]));
  }
  // The default handler's, which nobody asks for.
  await mkdir(cni.conf, { recursive: true });
  await writeFile(join(cni.conf, '05.conflist'), list('nothing', plugins.nothing));
  return cni;
}

/** Both daemons and a containerd for each install on the node; they end with the LAN and the space. */
export async function startSides(
  lan: HomeLan,
  space: NodeSpace,
  programs: CriPrograms,
): Promise<Each<Runtime>> {
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
  const image = await buildPodImage(join(space.folder, 'image'));
  const env = { LEASEHOLD_SOCKET: leasehold.socket };
  const start = async (install: Install): Promise<Runtime> => {
    const cni = await makeFolders(space.folder, install, programs, goSocket);
    return await containerd(withHandlers(install))({ space, cni, image, env });
  };
  const [ours, go] = [await start('leasehold'), await start('go')];
  return { nothing: ours, leasehold: ours, dropin: ours, go };
}
