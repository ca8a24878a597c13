import { mac, macFromBytes, type Mac } from '../base/mac.ts';
import { type Duration, millis } from '../base/time.ts';
import { ETHERNET_HEADER_BYTES } from './ip/udp4.ts';

/** Where bridges send BPDUs (IEEE 802.1D 7.12.3). */
export const BRIDGE_GROUP_MAC = mac('01:80:c2:00:00:00');

/** What a port of a bridge says about its spanning tree (IEEE 802.1D 9.3.1, 9.3.3). */
export type Bpdu = {
  readonly bridge: Mac;
  /** How long a port listens, and then learns, before it forwards: twice this in all. */
  readonly forwardDelay: Duration;
  /** Whether the port that sent it forwards; undefined in the old form, which does not say. */
  readonly forwarding: boolean | undefined;
};

/** DSAP and SSAP of the spanning tree, unnumbered information, protocol 0 (IEEE 802.1D 9.2, 9.3). */
const LLC_AND_PROTOCOL = [0x42, 0x42, 0x03, 0x00, 0x00] as const;
const AT = { version: 5, type: 6, flags: 7, bridgeMac: 22, forwardDelay: 36, end: 38 } as const;
const TYPE_CONFIGURATION = 0x00;
const TYPE_RAPID = 0x02;
const FLAG_FORWARDING = 0x20;
/** Times are in 256ths of a second (IEEE 802.1D 9.2.8). */
const MS_PER_TICK = 1000 / 256;

/** Undefined for every other frame, a topology change notice among them. Never throws. */
export function parseBpdu(frame: Uint8Array): Bpdu | undefined {
  if (frame.length < ETHERNET_HEADER_BYTES + AT.end || macFromBytes(frame) !== BRIDGE_GROUP_MAC) {
    return undefined;
  }
  const body = frame.subarray(ETHERNET_HEADER_BYTES);
  if (LLC_AND_PROTOCOL.some((byte, i) => body[i] !== byte)) return undefined;
  const type = body[AT.type];
  if (type !== TYPE_CONFIGURATION && type !== TYPE_RAPID) return undefined;
  const ticks = ((body[AT.forwardDelay] ?? 0) << 8) | (body[AT.forwardDelay + 1] ?? 0);
  return {
    bridge: macFromBytes(body, AT.bridgeMac),
    forwardDelay: millis(ticks * MS_PER_TICK),
    forwarding: type === TYPE_RAPID ? ((body[AT.flags] ?? 0) & FLAG_FORWARDING) !== 0 : undefined,
  };
}
