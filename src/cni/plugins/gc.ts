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

/**
 * The link that the daemon made for this attachment, if it is still in its namespace, whatever name and MAC address the
 * pod has given it. Whether a changed one is ours its index says, and its kind: another plugin may have moved a link in.
 */
export async function ownLinkIn(pod: Pod, record: LeaseRecord | undefined): Promise<LinkState | undefined> {
  if (record?.link.owned !== true || record.netns.inode !== pod.inode) return undefined;
  const link = pod.sight(record.link.index, undefined);
  if (link === undefined || isLinkOf(record, pod, link)) return link;
  const now = await pod.link(link.name);
  return now?.index === link.index && now.kind === 'macvlan' ? now : undefined;
}

/** The link goes only if it is still the one that was made: same namespace, same index. */
export async function removeLink(services: PluginServices, record: LeaseRecord): Promise<void> {
  let pod: ReturnType<PluginServices['openPod']>;
  try {
    pod = services.openPod(record.netns.path);
  } catch (error) {
    if (isSysError(error)) return;
    throw error;
  }
  try {
    const link = await ownLinkIn(pod, record);
    if (link !== undefined) await pod.deleteLink(link.index);
  } finally {
    pod.close();
  }
}
