import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { CniRuntime } from '../../../src/lab/cni-runtime.ts';
import { startDaemon } from '../../../src/lab/daemon.ts';
import type { LongProcess } from '../../../src/lab/long-process.ts';
import { CNI_BIN, DEBIAN_CNI_BIN } from '../../support/leasehold.ts';
import type { Site } from './site.ts';

/** The bridge in the node that `pluggedBridge` makes. */
export const BRIDGE = 'cnibr';

/** Debian's Go main plugins and `static`, with our `dhcp` and `route-override`. `socket`: told by the environment; else by the conf. */
export async function goMainPlugins(
  site: Site,
  options: { readonly socket?: string } = {},
): Promise<CniRuntime> {
  const folder = join(site.lan.folder, `mixed-bin-${options.socket === undefined ? 'conf' : 'env'}`);
  await mkdir(folder);
  for (const name of ['macvlan', 'bridge', 'static'])
    await symlink(join(DEBIAN_CNI_BIN, name), join(folder, name));
  for (const name of ['dhcp', 'route-override']) await symlink(join(CNI_BIN, name), join(folder, name));
  const env = options.socket === undefined ? {} : { LEASEHOLD_SOCKET: options.socket };
  return new CniRuntime({ place: site.node, binDirs: [folder], env });
}

/** Starts Debian's own dhcp daemon. */
export async function startGoDhcp(
  site: Site,
): Promise<{ readonly socket: string; readonly process: LongProcess }> {
  const socket = join(site.lan.folder, 'go-dhcp.sock');
  const process = await startDaemon(site.node, {
    command: [join(DEBIAN_CNI_BIN, 'dhcp'), 'daemon', '-socketpath', socket],
    socket,
    readiness: 'socket',
    logFile: join(site.lan.folder, 'go-dhcp.log'),
    name: 'Go dhcp daemon',
    resources: site.lan.resources,
  });
  return { socket, process };
}

/** A bridge in the node with a second cable to the router in it: the Go plugin never attaches an uplink itself. */
export async function pluggedBridge(site: Site): Promise<void> {
  const { router } = site.lan;
  const peer = ['peer', 'name', 'eth1', 'netns', site.node.name];
  await router.ip('link', 'add', 'pbridge', 'type', 'veth', ...peer);
  await router.ip('link', 'set', 'pbridge', 'master', 'br0', 'up');
  await site.node.ip('link', 'add', BRIDGE, 'type', 'bridge');
  await site.node.ip('link', 'set', 'eth1', 'master', BRIDGE, 'up');
  await site.node.ip('link', 'set', BRIDGE, 'up');
}
