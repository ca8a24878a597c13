import { toHex } from '../../base/bytes.ts';
import { macToBytes } from '../../base/mac.ts';
import type { Dhcp4Config } from './state.ts';

/** Ethernet, the type byte of an identifier that is a hardware address (RFC 2132 9.14). */
const ETHERNET_TYPE = '01';
const NULS = /^(00)*$/;

/** Whether `bytes` are `whole` again: cut, filled up with NULs, or sent several times and joined (RFC 3396). In hex. */
function standsFor(bytes: string, whole: string): boolean {
  if (bytes.length < whole.length) return whole.startsWith(bytes);
  const times = Math.floor(bytes.length / whole.length);
  return bytes === whole.repeat(times) || (bytes.startsWith(whole) && NULS.test(bytes.slice(whole.length)));
}

/**
 * Whether option 61 of an answer can stand for our identifier. RFC 6842 section 3: a server MUST return it unaltered,
 * and a client MUST discard an answer with another one. Servers alter it: they cut it at the end of a buffer of theirs,
 * send it empty, or write the hardware address instead. That names nobody else, so it is taken; an identifier of
 * somebody else is not. It is safe: the RFC's check tells apart clients that share a chaddr, and no two of ours on one
 * link do; chaddr and transaction id have to fit, and who forges those could echo the identifier as well.
 */
export function isOurIdentifier(
  config: Pick<Dhcp4Config, 'chaddr' | 'clientId'>,
  echoed: Uint8Array,
): boolean {
  const bytes = toHex(echoed);
  const address = toHex(macToBytes(config.chaddr));
  const ours = [config.clientId ?? '', address, ETHERNET_TYPE + address];
  return bytes === '' || ours.some((identifier) => identifier !== '' && standsFor(bytes, identifier));
}
