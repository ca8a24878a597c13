import { IPV4_ANY, type Ipv4 } from '../../base/ipv4.ts';
import { mac, type Mac } from '../../base/mac.ts';
import type { ArpPacket } from '../../wire/arp.ts';

const NO_MAC = mac('00:00:00:00:00:00');

/** "Has anybody this address?", without saying that one wants it oneself (RFC 5227 2.1.1). */
export function probe(address: Ipv4, own: Mac): ArpPacket {
  return { op: 'request', senderMac: own, senderIp: IPV4_ANY, targetMac: NO_MAC, targetIp: address };
}

/** "I have this address" (RFC 5227 2.3). */
export function announcement(address: Ipv4, own: Mac): ArpPacket {
  return { op: 'request', senderMac: own, senderIp: address, targetMac: NO_MAC, targetIp: address };
}

/**
 * The same as a reply to everybody. Who knows the address learns it all the same (RFC 826; Linux takes one for gratuitous
 * where both hardware addresses are equal, arp_is_garp), and no kernel looks up a route for it, as it does to see whether
 * a question is meant for it: with hundreds of macvlans that hear it, that is a third of what it costs.
 */
export function gratuitousReply(address: Ipv4, own: Mac): ArpPacket {
  return { op: 'reply', senderMac: own, senderIp: address, targetMac: own, targetIp: address };
}

/** Somebody else says that the address is his (RFC 5227 2.4). */
export function claims(packet: ArpPacket, address: Ipv4, own: Mac): boolean {
  return packet.senderIp === address && packet.senderMac !== own;
}

/** Somebody else asks whether he could have the address (RFC 5227 2.1.1). */
export function seeks(packet: ArpPacket, address: Ipv4, own: Mac): boolean {
  return (
    packet.op === 'request' &&
    packet.senderIp === IPV4_ANY &&
    packet.targetIp === address &&
    packet.senderMac !== own
  );
}
