import { ipv4FromBytes, type Ipv4 } from '../../base/ipv4.ts';
import { ETHERNET_HEADER_BYTES } from './udp4.ts';

/** "Destination unreachable" about a UDP datagram (RFC 792). */
export type Unreachable4 = {
  readonly from: Ipv4;
  /** 3 is "port unreachable", 13 "administratively prohibited" (RFC 1812 5.2.7.1). */
  readonly code: number;
  /** Where the datagram went. */
  readonly dst: Ipv4;
  readonly dstPort: number;
};

const ETHERTYPE_AT = 12;
const ETHERTYPE_IPV4 = 0x0800;
const IP_HEADER_BYTES = 20;
const IP_PROTO_ICMP = 1;
const IP_PROTO_UDP = 17;
const ICMP_HEADER_BYTES = 8;
const TYPE_UNREACHABLE = 3;
const UDP_PORTS_BYTES = 4;

/** Where the header at `at` ends; undefined when it is none, or of another protocol. */
function endOfHeader(view: DataView, at: number, protocol: number): number | undefined {
  if (view.byteLength < at + IP_HEADER_BYTES || view.getUint8(at) >>> 4 !== 4) return undefined;
  const length = (view.getUint8(at) & 0x0f) * 4;
  return length < IP_HEADER_BYTES || view.getUint8(at + 9) !== protocol ? undefined : at + length;
}

/** Reads an Ethernet frame as AF_PACKET gives it. Undefined for every other frame. Never throws; no checksum is looked at. */
export function parseUnreachable4(frame: Uint8Array): Unreachable4 | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  if (frame.length < ETHERNET_HEADER_BYTES || view.getUint16(ETHERTYPE_AT) !== ETHERTYPE_IPV4)
    return undefined;
  const icmp = endOfHeader(view, ETHERNET_HEADER_BYTES, IP_PROTO_ICMP);
  if (icmp === undefined || frame.length < icmp + ICMP_HEADER_BYTES) return undefined;
  if (view.getUint8(icmp) !== TYPE_UNREACHABLE) return undefined;
  const inner = icmp + ICMP_HEADER_BYTES;
  const udp = endOfHeader(view, inner, IP_PROTO_UDP);
  if (udp === undefined || frame.length < udp + UDP_PORTS_BYTES) return undefined;
  return {
    from: ipv4FromBytes(frame, ETHERNET_HEADER_BYTES + 12),
    code: view.getUint8(icmp + 1),
    dst: ipv4FromBytes(frame, inner + 16),
    dstPort: view.getUint16(udp + 2),
  };
}
