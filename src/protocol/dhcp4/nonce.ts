import { toHex } from '../../base/bytes.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import type { Dhcp4Message } from '../../wire/dhcp4/message.ts';
import { NONCE_ALGORITHMS, readNonceAuthentication } from '../../wire/dhcp4/authentication.ts';
import { readOption } from '../../wire/dhcp4/options.ts';

/**
 * By what a FORCERENEW of the server that gave a lease is authenticated (RFC 6704). A secret: it is stored with the
 * lease, and nothing shows it. Plain JSON.
 */
export type Nonce = {
  /** The key, 16 bytes as hex. */
  readonly key: string;
  /** The counter of the last message that was taken, 16 hex digits: a later one has to be greater (RFC 3118 2). */
  readonly replay: string;
};

/** Of a client's configuration (Dhcp4Config) as it speaks in one message. */
type Speaking = { readonly forceRenew?: boolean | undefined };
/** Of a lease (Lease4). */
type Signed = { readonly serverId: Ipv4; readonly nonce?: Nonce | undefined };

/** Whether an OFFER promises a nonce in the ACK, to a client that has said that it takes one (RFC 6704 3.1.4). */
export function promisesNonce({ forceRenew }: Speaking, { options }: Dhcp4Message): boolean {
  const offered = readOption(options, 'forcerenew-nonce-capable');
  return (
    forceRenew === true &&
    offered.kind === 'value' &&
    offered.value.some((algorithm) => NONCE_ALGORITHMS.includes(algorithm))
  );
}

/**
 * The nonce that counts after an ACK, with `malformed` where one is in it that cannot be read. RFC 6704 3.1.3: a server
 * sends it again only where it is a new one, so without one that of the lease in use goes on, if it is the same server's.
 * A key that was known before keeps its counter, whatever the ACK says, so that no earlier message counts again.
 */
export function nonceAfter(
  { forceRenew }: Speaking,
  { options }: Dhcp4Message,
  { serverId }: Pick<Signed, 'serverId'>,
  inUse: Signed | undefined,
): { readonly nonce: Nonce | undefined; readonly malformed: boolean } {
  if (forceRenew !== true) return { nonce: undefined, malformed: false };
  const known = inUse?.serverId === serverId ? inUse.nonce : undefined;
  const read = readNonceAuthentication(options);
  if (!read.ok) return { nonce: known, malformed: read.error === 'malformed' };
  const { kind, value, replay } = read.value;
  if (kind !== 'nonce') return { nonce: known, malformed: true };
  const key = toHex(value);
  const isKnown = known?.key === key && known.replay > replay;
  return { nonce: isKnown ? known : { key, replay }, malformed: false };
}
