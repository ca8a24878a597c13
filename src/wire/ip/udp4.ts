import { invariant } from '../../base/invariant.ts';
import { ipv4FromBytes, ipv4ToNumber, type Ipv4 } from '../../base/ipv4.ts';
import { macFromBytes, macToBytes, type Mac } from '../../base/mac.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { addToSum, internetChecksum } from './checksum.ts';

/** An Ethernet frame with one UDP datagram over IPv4. */
export type Udp4Frame = {
  readonly srcMac: Mac;
  readonly dstMac: Mac;
  /** The VLAN of an in-band 802.1Q tag; undefined without one. */
  readonly vlan: number | undefined;
  readonly src: Ipv4;
  readonly dst: Ipv4;
  readonly srcPort: number;
  readonly dstPort: number;
  /** A view of the frame, not a copy. */
  readonly payload: Uint8Array;
};

/**
 * Why a frame is not taken; at once log field, metric label and test expectation.
 *
 * - frame-too-short: no room for the headers
 * - not-ipv4: another EtherType, or a second VLAN tag
 * - bad-ip-header: version, header length or total length are impossible
 * - ip-truncated: less was captured than the total length says
 * - bad-ip-checksum, bad-udp-checksum: damaged
 * - fragment: no reassembly here; a DHCP answer is never so long
 * - not-udp: another protocol
 * - bad-udp-length: less than a header or more than the packet
 */
export type Udp4Reject =
  | 'frame-too-short'
  | 'not-ipv4'
  | 'bad-ip-header'
  | 'ip-truncated'
  | 'bad-ip-checksum'
  | 'fragment'
  | 'not-udp'
  | 'bad-udp-length'
  | 'bad-udp-checksum';

export const ETHERNET_HEADER_BYTES = 14;
const VLAN_TAG_BYTES = 4;
const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_VLAN = 0x8100;
const VLAN_ID_MASK = 0x0fff;

const IP_HEADER_BYTES = 20;
const IP_DONT_FRAGMENT = 0x4000;
/** More Fragments and the offset: either makes it a part of something (RFC 791 3.1). */
const IP_FRAGMENT_MASK = 0x3fff;
const IP_PROTO_UDP = 17;
const DEFAULT_TTL = 64;
const VERSION_4 = 4;
const VERSION_4_IHL_5 = 0x45;

const UDP_HEADER_BYTES = 8;
const UDP_CHECKSUM_AT = 6;
/** On the wire 0 means "none"; a computed 0 is sent as its other form (RFC 768). */
const UDP_CHECKSUM_ZERO = 0xffff;

/** The part of the UDP checksum that comes from the IP header: addresses, protocol, length (RFC 768). */
function pseudoHeaderSum(frame: Uint8Array, ip: number, udpLength: number): number {
  return addToSum(frame, ip + 12, ip + IP_HEADER_BYTES) + IP_PROTO_UDP + udpLength;
}

export type Udp4ParseOptions = {
  /**
   * False when the kernel says that the checksum is not computed yet (TP_STATUS_CSUMNOTREADY in linux/if_packet.h),
   * as with every packet between two namespaces of one machine: the UDP checksum is not looked at then.
   */
  readonly checksumReady: boolean;
};

/** Reads a frame as AF_PACKET gives it. Never throws. */
export function parseUdp4Frame(frame: Uint8Array, options: Udp4ParseOptions): Result<Udp4Frame, Udp4Reject> {
  if (frame.length < ETHERNET_HEADER_BYTES) return err('frame-too-short');
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  let ip = ETHERNET_HEADER_BYTES;
  let etherType = view.getUint16(ip - 2);
  let vlan: number | undefined;
  if (etherType === ETHERTYPE_VLAN) {
    if (frame.length < ip + VLAN_TAG_BYTES) return err('frame-too-short');
    vlan = view.getUint16(ip) & VLAN_ID_MASK;
    etherType = view.getUint16(ip + 2);
    ip += VLAN_TAG_BYTES;
  }
  if (etherType !== ETHERTYPE_IPV4) return err('not-ipv4');
  if (frame.length < ip + IP_HEADER_BYTES) return err('frame-too-short');

  const versionAndLength = view.getUint8(ip);
  const headerLength = (versionAndLength & 0x0f) * 4;
  const totalLength = view.getUint16(ip + 2);
  if (versionAndLength >>> 4 !== VERSION_4 || headerLength < IP_HEADER_BYTES || totalLength < headerLength) {
    return err('bad-ip-header');
  }
  // Longer than captured is damage; shorter is the padding of small Ethernet frames.
  if (ip + totalLength > frame.length) return err('ip-truncated');
  if (internetChecksum(addToSum(frame, ip, ip + headerLength)) !== 0) return err('bad-ip-checksum');
  if ((view.getUint16(ip + 6) & IP_FRAGMENT_MASK) !== 0) return err('fragment');
  if (view.getUint8(ip + 9) !== IP_PROTO_UDP) return err('not-udp');

  const udp = ip + headerLength;
  const room = totalLength - headerLength;
  if (room < UDP_HEADER_BYTES) return err('bad-udp-length');
  const udpLength = view.getUint16(udp + 4);
  if (udpLength < UDP_HEADER_BYTES || udpLength > room) return err('bad-udp-length');
  if (options.checksumReady && view.getUint16(udp + UDP_CHECKSUM_AT) !== 0) {
    const sum = addToSum(frame, udp, udp + udpLength, pseudoHeaderSum(frame, ip, udpLength));
    if (internetChecksum(sum) !== 0) return err('bad-udp-checksum');
  }
  return ok({
    srcMac: macFromBytes(frame, 6),
    dstMac: macFromBytes(frame, 0),
    vlan,
    src: ipv4FromBytes(frame, ip + 12),
    dst: ipv4FromBytes(frame, ip + 16),
    srcPort: view.getUint16(udp),
    dstPort: view.getUint16(udp + 2),
    payload: frame.subarray(udp + UDP_HEADER_BYTES, udp + udpLength),
  });
}

/** The frame with both checksums, without VLAN tag. The payload must fit into one IP packet. */
export function emitUdp4Frame(datagram: Omit<Udp4Frame, 'vlan'>): Uint8Array {
  const { payload } = datagram;
  const udpLength = UDP_HEADER_BYTES + payload.length;
  const totalLength = IP_HEADER_BYTES + udpLength;
  invariant(totalLength <= 0xffff, `a datagram of ${totalLength} bytes`);
  const ip = ETHERNET_HEADER_BYTES;
  const udp = ip + IP_HEADER_BYTES;
  const frame = new Uint8Array(ip + totalLength);
  const view = new DataView(frame.buffer);

  frame.set(macToBytes(datagram.dstMac), 0);
  frame.set(macToBytes(datagram.srcMac), 6);
  view.setUint16(ip - 2, ETHERTYPE_IPV4);

  view.setUint8(ip, VERSION_4_IHL_5);
  view.setUint16(ip + 2, totalLength);
  // Never fragmented, so the identification may stay 0 (RFC 6864 4.1).
  view.setUint16(ip + 6, IP_DONT_FRAGMENT);
  view.setUint8(ip + 8, DEFAULT_TTL);
  view.setUint8(ip + 9, IP_PROTO_UDP);
  view.setUint32(ip + 12, ipv4ToNumber(datagram.src));
  view.setUint32(ip + 16, ipv4ToNumber(datagram.dst));
  view.setUint16(ip + 10, internetChecksum(addToSum(frame, ip, udp)));

  view.setUint16(udp, datagram.srcPort);
  view.setUint16(udp + 2, datagram.dstPort);
  view.setUint16(udp + 4, udpLength);
  frame.set(payload, udp + UDP_HEADER_BYTES);
  const sum = addToSum(frame, udp, frame.length, pseudoHeaderSum(frame, ip, udpLength));
  view.setUint16(udp + UDP_CHECKSUM_AT, internetChecksum(sum) || UDP_CHECKSUM_ZERO);
  return frame;
}
