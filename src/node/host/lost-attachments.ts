import type { Ipv4 } from '../../base/ipv4.ts';
import { isSysError } from '../../base/sys-error.ts';
import { type HostKernel, RTPROT_LEASEHOLD } from './ports.ts';
import { type AttachmentRecord, attachmentText, HOST_SCHEMA } from './record.ts';
import { isShimAlias } from './shim.ts';
import type { HostWorld } from './world.ts';

/** The addresses that the shims on this node still lead to, by the uplinks of these. Rejects with SysError. */
async function leftRoutes(kernel: HostKernel): Promise<ReadonlyMap<string, ReadonlySet<Ipv4>>> {
  const left = new Map<string, ReadonlySet<Ipv4>>();
  const links = await kernel.links();
  for (const { index, alias, masterIndex } of links) {
    const uplink = links.find((link) => link.index === masterIndex)?.name;
    if (!isShimAlias(alias) || uplink === undefined) continue;
    const routes = await kernel.routes(index);
    const ours = routes.filter(({ protocol }) => protocol === RTPROT_LEASEHOLD);
    left.set(uplink, new Set(ours.map(({ dst }) => dst.address)));
  }
  return left;
}

/**
 * Pods that the node still leads to and has leases for, but no record of: the records were lost. What their
 * configuration said beyond that is lost too, so it is what most say.
 */
function lostAttachments(
  world: Pick<HostWorld, 'leases' | 'clock'>,
  left: ReadonlyMap<string, ReadonlySet<Ipv4>>,
  isKnown: (attachment: string) => boolean,
): readonly AttachmentRecord[] {
  return world
    .leases()
    .filter(
      ({ key, uplink, address }) => left.get(uplink)?.has(address) === true && !isKnown(attachmentText(key)),
    )
    .map(({ key, netns, mac, uplink }) => ({
      kind: 'attachment',
      schema: HOST_SCHEMA,
      key,
      bootId: world.clock.bootId,
      netns,
      mac,
      uplink,
      hostAccess: true,
      services: 'auto',
      lastHop: true,
      addresses: 'lease',
    }));
}

/** Pods whose records were lost are taken up, and on record again. Never rejects: then they are as lost as before. */
export async function recoverLost(
  world: Pick<HostWorld, 'kernel' | 'leases' | 'clock' | 'store' | 'log'>,
  attachments: {
    readonly isKnown: (attachment: string) => boolean;
    readonly isGone: (record: AttachmentRecord) => boolean;
    readonly takeUp: (record: AttachmentRecord) => Promise<void>;
  },
): Promise<void> {
  try {
    const left = await leftRoutes(world.kernel);
    for (const record of lostAttachments(world, left, attachments.isKnown)) {
      if (attachments.isGone(record)) continue;
      world.log.warn(
        { attachment: attachmentText(record.key) },
        'the record of what the node does for a running pod was lost, and is made anew with the usual settings',
      );
      await attachments.takeUp(record);
      await world.store.put(record);
    }
  } catch (error) {
    if (!isSysError(error)) throw error;
    world.log.warn({ error: error.message }, 'it cannot be seen which pods the node leads to');
  }
}
