import { ipv4FromBytes } from '../base/ipv4.ts';
import { macFromBytes } from '../base/mac.ts';
import type { ServerLease } from './lease-files.ts';

/** When the file was written, as 64-bit Unix time; then one entry per lease, everything in network order. */
const HEADER_BYTES = 8;
/** Remaining seconds (4), address (4), MAC (6), host name (20), padding (2). */
const ENTRY_BYTES = 36;
const ADDRESS_AT = 4;
const MAC_AT = 8;
const NAME_AT = 14;
const NAME_END = 34;

/**
 * The file of busybox udhcpd. It knows no client-ids, and an address that was offered and not yet taken is an entry as
 * well. Addresses that it put aside after a DECLINE or a conflict have no MAC address and are passed over.
 */
export function parseUdhcpdLeases(bytes: Uint8Array, nowSeconds: number): readonly ServerLease[] {
  if (bytes.length < HEADER_BYTES) return [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const writtenAt = Number(view.getBigInt64(0));
  const leases: ServerLease[] = [];
  for (let at = HEADER_BYTES; at + ENTRY_BYTES <= bytes.length; at += ENTRY_BYTES) {
    const hardware = bytes.subarray(at + MAC_AT, at + NAME_AT);
    const expiresAt = writtenAt + view.getUint32(at);
    if (hardware.every((byte) => byte === 0) || expiresAt <= nowSeconds) continue;
    const name = Buffer.from(bytes.subarray(at + NAME_AT, at + NAME_END)).toString('latin1');
    const [hostname = ''] = name.toLowerCase().split('\0');
    leases.push({
      ip: ipv4FromBytes(bytes.subarray(at + ADDRESS_AT, at + MAC_AT)),
      mac: macFromBytes(hardware),
      clientId: undefined,
      hostname: hostname === '' ? undefined : hostname,
      expiresAt,
    });
  }
  return leases;
}
