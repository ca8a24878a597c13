import type { Ipv4 } from '../base/ipv4.ts';
import type { Mac } from '../base/mac.ts';
import type { SysError } from '../base/sys-error.ts';
import { probe } from '../protocol/acd4/packets.ts';
import { emitArpFrame } from '../wire/arp.ts';
import { BROADCAST_MAC } from './dhcp-frame.ts';
import { lookAt } from './host-release.ts';
import type { LeaseWorld } from './ports.ts';
import type { LeaseIdentity } from './record.ts';

type Uplink = { readonly index: number; readonly mac: Mac };

/** The interface below the pod's, where the node has one that has a MAC address. */
export function uplinkBelow(
  { frames }: Pick<LeaseWorld, 'frames'>,
  { uplinkIndex, lan }: Pick<LeaseIdentity, 'uplinkIndex' | 'lan'>,
): Uplink | undefined {
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
  if (uplink === undefined) return undefined;
  const { index, mac } = uplink;
  return world.frames.send(index, emitArpFrame(mac, BROADCAST_MAC, probe(address, mac)));
}
