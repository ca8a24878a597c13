import { isSysError } from '../../../src/base/sys-error.ts';
import { HostNetwork } from '../../../src/kernel/host-network.ts';
import { PodNetwork } from '../../../src/kernel/pod-network.ts';

// Started inside a namespace, which then is the node's own: so the machine's is neither looked at nor changed.
const [podPath = '', uplinkName = '', strangerPath = ''] = process.argv.slice(2);
const host = new HostNetwork();
const uplink = await host.link(uplinkName);
if (uplink === undefined) throw new Error(`there is no ${uplinkName}`);
const pod = PodNetwork.open(podPath, host.rtnl);
const stranger = PodNetwork.open(strangerPath, host.rtnl);

const spec = { mode: 'bridge', mac: undefined, mtu: 1400, bcQueueLen: undefined, up: true } as const;
const inPod = { ...spec, masterIn: 'pod' } as const;
await pod.createMacvlan({ ...spec, masterIn: 'host', name: 'eth0', masterIndex: uplink.index });
const eth0 = await pod.link('eth0');
await pod.createMacvlan({ ...inPod, name: 'nested', masterIndex: eth0?.index ?? 0 });
await pod.createMacvlan({ ...inPod, name: 'inner', masterIndex: pod.peek('w0')?.index ?? 0 });
let again = 'made twice';
try {
  await pod.createMacvlan({ ...spec, masterIn: 'host', name: 'eth0', masterIndex: uplink.index });
} catch (error) {
  again = isSysError(error) ? error.code : String(error);
}

async function uplinkOf(of: PodNetwork, name: string): Promise<number | null> {
  const link = await of.link(name);
  if (link === undefined) throw new Error(`there is no ${name}`);
  return (await of.hostLan(link)).uplinkIndex ?? null;
}

async function lanOf(of: PodNetwork, name: string): Promise<unknown> {
  const link = await of.link(name);
  if (link === undefined) throw new Error(`there is no ${name}`);
  return of.hostLan(link);
}

const seen = {
  inode: host.inode,
  podInode: pod.inode,
  uplink,
  missing: (await host.link('nowhere')) ?? null,
  byIndex: (await host.linkByIndex(uplink.index))?.name,
  noneByIndex: (await host.linkByIndex(4711)) ?? null,
  defaults: (await host.defaultRoutes()).map(({ gateway, index, metric }) => [gateway, index, metric]),
  eth0: [eth0?.kind, eth0?.macvlanMode, eth0?.mtu, eth0?.up],
  again,
  uplinks: {
    eth0: await uplinkOf(pod, 'eth0'),
    nested: await uplinkOf(pod, 'nested'),
    inner: await uplinkOf(pod, 'inner'),
    lo: await uplinkOf(pod, 'lo'),
    stranger: await uplinkOf(stranger, 'm0'),
  },
  lans: {
    eth0: await lanOf(pod, 'eth0'),
    nested: await lanOf(pod, 'nested'),
    inner: await lanOf(pod, 'inner'),
    lo: await lanOf(pod, 'lo'),
    'to-port': await lanOf(pod, 'to-port'),
    'to-lone': await lanOf(pod, 'to-lone'),
    stranger: await lanOf(stranger, 'm0'),
    'to-far': await lanOf(stranger, 'to-far'),
  },
  sight: host.sight(uplink.index),
};
pod.close();
stranger.close();
await host.close();
process.stdout.write(JSON.stringify(seen));
