import type { Ipv4 } from '../../base/ipv4.ts';
import { type HostKernel, RTPROT_LEASEHOLD } from './ports.ts';
import { type AttachmentRecord, attachmentText, HOST_SCHEMA } from './record.ts';
import { isShimAlias } from './shim.ts';
import type { HostWorld } from './world.ts';

/** The addresses that the shims on this node still lead to, by the uplinks of these. Rejects with SysError. */
export async function leftRoutes(kernel: HostKernel): Promise<ReadonlyMap<string, ReadonlySet<Ipv4>>> {
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
export function lostAttachments(
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
