import type { Ipv4 } from '../base/ipv4.ts';
import type { SysError } from '../base/sys-error.ts';
import { type Asker, askWho } from './arp-question.ts';
import { lookAt } from './host-release.ts';
import type { LeaseWorld } from './ports.ts';
import type { LeaseIdentity } from './record.ts';

/** The interface below the pod's, where the node has one that has a MAC address. */
export function uplinkBelow(
  { frames }: Pick<LeaseWorld, 'frames'>,
  { uplinkIndex, lan }: Pick<LeaseIdentity, 'uplinkIndex' | 'lan'>,
): Asker | undefined {
  if (uplinkIndex === undefined || lan?.index !== uplinkIndex) return undefined;
  const found = lookAt(frames, lan.name);
  if (!found.ok || found.value.index !== uplinkIndex || found.value.mac === undefined) return undefined;
  return { index: uplinkIndex, mac: found.value.mac };
}

/**
 * "Has anybody this address?" (RFC 5227 2.1.1), asked by the uplink itself: its answer comes to the uplink, and no pod can
 * keep it away. Undefined when the kernel took the frame, or there is no such uplink.
 */
export function probeFromUplink(
  world: Pick<LeaseWorld, 'frames'>,
  identity: Pick<LeaseIdentity, 'uplinkIndex' | 'lan'>,
  address: Ipv4,
): SysError | undefined {
  const uplink = uplinkBelow(world, identity);
  return uplink === undefined ? undefined : askWho(world.frames, uplink, address);
}
