import type { Mac } from '../../base/mac.ts';
import { isSysError } from '../../base/sys-error.ts';
import type { LeaseRecord } from '../../lease/record.ts';
import type { UplinkState } from '../../node/ports.ts';
import type { PluginServices } from '../context.ts';
import { CniError } from '../spec/errors.ts';
import { isLinkOf } from './gc.ts';

type World = Pick<PluginServices, 'host' | 'leases' | 'openPod'>;

/** `isOfPod`: an interface of the pod's own namespace, whose index is another one's on the node. */
type Place = { readonly uplink: UplinkState; readonly isOfPod: boolean };

/** Two interfaces of one MAC address cannot be up on one uplink: says whose the other one is. */
export async function macInUse(world: World, mac: Mac, { uplink, isOfPod }: Place): Promise<CniError> {
  const by = isOfPod ? undefined : ((await ownInterface(world, mac, uplink)) ?? pod(world, mac, uplink));
  const holder = by ?? 'an interface that this daemon did not make (ip -d link, in each network namespace)';
  return new CniError('mac-in-use', `mac: ${mac} is in use on ${uplink.name} by ${holder}`);
}

/** The uplink itself, or what stands on it in the node's namespace. */
async function ownInterface({ host }: World, mac: Mac, { index }: UplinkState): Promise<string | undefined> {
  const links = await host.links();
  const own = links.find((link) => link.mac === mac && (link.index === index || link.masterIndex === index));
  return own && `the node's own interface ${own.name}`;
}

/** One that the daemon knows by its lease. */
function pod(world: World, mac: Mac, uplink: UplinkState): string | undefined {
  const records = world.leases
    .list()
    .map(({ record }) => record)
    .filter(({ link, lan }) => link.mac === mac && lan?.index === uplink.index);
  const alive = records.find((record) => isThere(world, record));
  const record = alive ?? records[0];
  if (record === undefined) return undefined;
  const { key, netns } = record;
  const who = `${key.ifname} of container ${key.containerId} (network ${key.network}, ${netns.path})`;
  return alive === undefined ? `${who}, which is gone: something still holds its namespace` : who;
}

function isThere({ openPod }: World, record: LeaseRecord): boolean {
  try {
    const holder = openPod(record.netns.path);
    try {
      const link = holder.peek(record.key.ifname);
      return link !== undefined && isLinkOf(record, holder, link);
    } finally {
      holder.close();
    }
  } catch (error) {
    if (isSysError(error)) return false;
    throw error;
  }
}
