import type { Ipv4 } from '../../base/ipv4.ts';
import { mac, type Mac } from '../../base/mac.ts';
import { emitArpFrame } from '../../wire/arp.ts';
import type { HostWorld } from './world.ts';

const NO_MAC = mac('00:00:00:00:00:00');

/** The shim as pods see it. */
export type ShimSeenByPods = {
  readonly index: number;
  readonly mac: Mac;
  /** Those of the node. */
  readonly addresses: readonly Ipv4[];
};

/**
 * Tells pods by which MAC address the node is reached now. They know it from ARP, by the shim's MAC address of before, and
 * would send there for 8 s more: five until the kernel asks again, and three questions to who is not there any more
 * (delay_first_probe_time, ucast_solicit). An announcement (RFC 5227 2.3) that goes to each pod alone: for the LAN the
 * node is behind its uplink. One that cannot be sent costs its pod those seconds, and nothing else.
 */
export function announceNode(
  { sendFrame, count }: Pick<HostWorld, 'sendFrame' | 'count'>,
  shim: ShimSeenByPods,
  pods: Iterable<Mac>,
): void {
  for (const pod of new Set(pods)) {
    for (const address of shim.addresses) {
      const packet = { senderMac: shim.mac, senderIp: address, targetMac: NO_MAC, targetIp: address };
      const frame = emitArpFrame(shim.mac, pod, { op: 'request', ...packet });
      if (sendFrame(shim.index, frame) !== undefined) count('node-unannounced');
    }
  }
}
