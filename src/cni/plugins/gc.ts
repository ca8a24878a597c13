import { isSysError } from '../../base/sys-error.ts';
import { keyText, type LeaseRecord } from '../../lease/record.ts';
import type { NodeCall, PluginServices } from '../context.ts';
import type { LinkState } from '../../lease/ports.ts';
import type { Pod } from '../ports.ts';
import { operationKey } from './ipam.ts';

/**
 * GC of CNI 1.1: releases the leases of this network that the runtime no longer lists, and removes their links if
 * they are ours. Without a list nothing is touched.
 */
export async function releaseStale(
  services: PluginServices,
  call: NodeCall,
  plugin: 'dhcp' | 'macvlan',
): Promise<void> {
  const { validAttachments, name } = call.conf;
  // Each plugin type looks after its own: `macvlan` made its links, `dhcp` serves those of others.
  const owned = plugin === 'macvlan';
  if (validAttachments === undefined) return;
  const valid = new Set(
    validAttachments.map(({ containerId, ifname }) => keyText({ containerId, network: name, ifname })),
  );
  const stale = services.leases
    .list()
    .map(({ record }) => record)
    .filter(({ key, link }) => key.network === name && link.owned === owned && !valid.has(keyText(key)));
  for (const record of stale) {
    await services.operations.del(operationKey(record.key), async () => {
      await services.leases.release(record.key, record.link.owned);
      if (record.link.owned) await removeLink(services, record);
    });
  }
}

/** Whether this is still the link that the record speaks of. */
export function isLinkOf(record: LeaseRecord, pod: Pod, link: LinkState): boolean {
  return record.netns.inode === pod.inode && record.link.index === link.index && record.link.mac === link.mac;
}

/** Whether this is still the link that the daemon made for this attachment. */
export function isOwnLink(record: LeaseRecord | undefined, pod: Pod, link: LinkState): boolean {
  return record !== undefined && record.link.owned && isLinkOf(record, pod, link);
}

/** The link goes only if it is still the one that was made: same namespace, same index, same MAC. */
export async function removeLink(services: PluginServices, record: LeaseRecord): Promise<void> {
  let pod: ReturnType<PluginServices['openPod']>;
  try {
    pod = services.openPod(record.netns.path);
  } catch (error) {
    if (isSysError(error)) return;
    throw error;
  }
  try {
    const link = pod.peek(record.key.ifname);
    if (link !== undefined && isOwnLink(record, pod, link)) await pod.deleteLink(link.index);
  } finally {
    pod.close();
  }
}
