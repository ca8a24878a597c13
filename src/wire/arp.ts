import { ipv4FromBytes, ipv4ToBytes, type Ipv4 } from '../base/ipv4.ts';
import { BROADCAST_MAC, macFromBytes, macToBytes, type Mac } from '../base/mac.ts';
import { err, ok, type Result } from '../base/result.ts';
import { ETHERNET_HEADER_BYTES } from './ip/udp4.ts';

/**
 * An ARP packet for IPv4 over Ethernet (RFC 826).
 *
 * A probe (RFC 5227 1.1) is a request whose senderIp is 0.0.0.0; an announcement is one whose senderIp and targetIp
 * are the same.
 */
export type ArpPacket = {
  readonly op: 'request' | 'reply';
  readonly senderMac: Mac;
  readonly senderIp: Ipv4;
  /** Means nothing in a request; all zeros as a rule. */
  readonly targetMac: Mac;
  readonly targetIp: Ipv4;
};

/**
 * Why a frame is not taken; at once log field, metric label and test expectation.
 *
 * - frame-too-short: no room for the headers
 * - not-arp: another EtherType, or a second VLAN tag
 * - not-ethernet-ipv4: ARP of other kinds of address
 * - bad-arp-operation: neither request nor reply (RARP, InARP)
 */
export type ArpReject = 'frame-too-short' | 'not-arp' | 'not-ethernet-ipv4' | 'bad-arp-operation';

/** Two addresses of six and two of four bytes after eight bytes of header. */
const ARP_BYTES = 28;
const VLAN_TAG_BYTES = 4;
const ETHERTYPE_AT = 12;
export const ETHERTYPE_ARP = 0x0806;
const ETHERTYPE_VLAN = 0x8100;
/** Hardware type 1 (Ethernet) and protocol type 0x0800 (IPv4), as one word. */
export const ARP_ETHERNET_IPV4 = 0x0001_0800;
/** Six bytes of hardware address and four of protocol address, as one half word. */
export const ARP_ADDRESS_LENGTHS = 0x0604;
export const ARP_REQUEST = 1;
export const ARP_REPLY = 2;
/** Where the fields lie in the ARP packet (RFC 826). */
export const ARP_FIELD = {
  types: 0,
  lengths: 4,
  operation: 6,
  senderMac: 8,
  senderIp: 14,
  targetMac: 18,
  targetIp: 24,
} as const;

function etherTypeAt(frame: Uint8Array, at: number): number {
  return ((frame[at] ?? 0) << 8) | (frame[at + 1] ?? 0);
}

/** Reads an Ethernet frame as AF_PACKET gives it, with or without an in-band 802.1Q tag. Never throws. */
export function parseArpFrame(frame: Uint8Array): Result<ArpPacket, ArpReject> {
  if (frame.length < ETHERNET_HEADER_BYTES) return err('frame-too-short');
  const tagged = etherTypeAt(frame, ETHERTYPE_AT) === ETHERTYPE_VLAN;
  const arp = ETHERNET_HEADER_BYTES + (tagged ? VLAN_TAG_BYTES : 0);
  if (frame.length < arp) return err('frame-too-short');
  if (etherTypeAt(frame, arp - 2) !== ETHERTYPE_ARP) return err('not-arp');
  // Longer is the padding of small Ethernet frames.
  if (frame.length < arp + ARP_BYTES) return err('frame-too-short');
  const view = new DataView(frame.buffer, frame.byteOffset + arp, ARP_BYTES);
  if (
    view.getUint32(ARP_FIELD.types) !== ARP_ETHERNET_IPV4 ||
    view.getUint16(ARP_FIELD.lengths) !== ARP_ADDRESS_LENGTHS
  ) {
    return err('not-ethernet-ipv4');
  }
  const operation = view.getUint16(ARP_FIELD.operation);
  if (operation !== ARP_REQUEST && operation !== ARP_REPLY) return err('bad-arp-operation');
  return ok({
    op: operation === ARP_REQUEST ? 'request' : 'reply',
    senderMac: macFromBytes(frame, arp + ARP_FIELD.senderMac),
    senderIp: ipv4FromBytes(frame, arp + ARP_FIELD.senderIp),
    targetMac: macFromBytes(frame, arp + ARP_FIELD.targetMac),
    targetIp: ipv4FromBytes(frame, arp + ARP_FIELD.targetIp),
  });
}

/** The frame without padding (the device pads it) and without VLAN tag. */
export function emitArpFrame(srcMac: Mac, dstMac: Mac, packet: ArpPacket): Uint8Array {
  const arp = ETHERNET_HEADER_BYTES;
  const frame = new Uint8Array(arp + ARP_BYTES);
  const view = new DataView(frame.buffer);
  frame.set(macToBytes(dstMac), 0);
  frame.set(macToBytes(srcMac), 6);
  view.setUint16(ETHERTYPE_AT, ETHERTYPE_ARP);
  view.setUint32(arp + ARP_FIELD.types, ARP_ETHERNET_IPV4);
  view.setUint16(arp + ARP_FIELD.lengths, ARP_ADDRESS_LENGTHS);
  view.setUint16(arp + ARP_FIELD.operation, packet.op === 'request' ? ARP_REQUEST : ARP_REPLY);
  frame.set(macToBytes(packet.senderMac), arp + ARP_FIELD.senderMac);
  frame.set(ipv4ToBytes(packet.senderIp), arp + ARP_FIELD.senderIp);
  frame.set(macToBytes(packet.targetMac), arp + ARP_FIELD.targetMac);
  frame.set(ipv4ToBytes(packet.targetIp), arp + ARP_FIELD.targetIp);
  return frame;
}

/** To everybody on the link, from the packet's own sender. */
export function emitArpToAll(packet: ArpPacket): Uint8Array {
  return emitArpFrame(packet.senderMac, BROADCAST_MAC, packet);
}
