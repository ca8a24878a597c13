import { equalSecrets, fromHex } from '../../base/bytes.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { readNonceAuthentication, withoutDigest } from '../../wire/dhcp4/authentication.ts';
import type { Dhcp4Message } from '../../wire/dhcp4/message.ts';
import { readOption } from '../../wire/dhcp4/options.ts';
import { isAllowedSource } from './allowed-source.ts';
import type { Lease4 } from './lease.ts';
import type { Nonce } from './nonce.ts';
import type { Source } from './source.ts';
import type { Dhcp4Config } from './state.ts';

/** A FORCERENEW as it came. */
export type ForceRenew = {
  readonly message: Dhcp4Message;
  /** The same as it was received: what it is authenticated over. */
  readonly bytes: Uint8Array;
  readonly source: Pick<Source, 'address' | 'mac'>;
  /** The destination of the IP packet. */
  readonly to: Ipv4;
};

/** HMAC-MD5 (RFC 2104) of `data`: 16 bytes. */
export type HmacMd5 = (key: Uint8Array, data: Uint8Array) => Uint8Array;

/** Why a FORCERENEW is not obeyed; at once counter, log and test expectation. */
export const FORCE_RENEW_REFUSALS = {
  'no-lease': 'the pod has no lease now',
  'not-ours': 'chaddr is not our MAC address, or op is not BOOTREPLY',
  'not-unicast': 'it was not sent to the address of the lease (RFC 3203 2.2)',
  foreign: 'it comes from another server than the one that gave the lease, or from none that may answer',
  unauthenticated: 'it has no option 90 by which it could be authenticated (RFC 6704)',
  malformed: 'its option 90 is malformed',
  'no-nonce': 'there is nothing to authenticate it by: the server gave no nonce with the lease',
  replayed: 'its counter is not greater than that of the last one: it was sent before',
  forged: 'it is not signed with the nonce of the lease',
} as const;

export type ForceRenewRefusal = keyof typeof FORCE_RENEW_REFUSALS;

/**
 * The nonce with the counter of a FORCERENEW that is obeyed, or why it is not. What has nothing to do with secrets is
 * looked at first, and the digest, which costs most, last (RFC 3203 6.1).
 */
export function authenticate(
  config: Dhcp4Config,
  lease: Lease4,
  { message, bytes, source, to: destination }: ForceRenew,
  hmacMd5: HmacMd5 | undefined,
): Result<Nonce, ForceRenewRefusal> {
  if (message.op !== 'reply' || message.chaddr !== config.chaddr) return err('not-ours');
  if (destination !== lease.address.address) return err('not-unicast');
  if (!isOfServer(config, lease, message, source.address)) return err('foreign');
  const read = readNonceAuthentication(message.options);
  if (!read.ok) return err(read.error === 'malformed' ? 'malformed' : 'unauthenticated');
  const { kind, replay, value } = read.value;
  const signed = withoutDigest(bytes);
  if (kind !== 'digest' || signed === undefined) return err('malformed');
  const key = lease.nonce === undefined ? undefined : fromHex(lease.nonce.key);
  if (lease.nonce === undefined || key === undefined || hmacMd5 === undefined) return err('no-nonce');
  if (replay <= lease.nonce.replay) return err('replayed');
  return equalSecrets(hmacMd5(key, signed), value) ? ok({ ...lease.nonce, replay }) : err('forged');
}

/**
 * The nonce is that of one server. RFC 3203 does not say that option 54 has to be there; where it is, it names that
 * server. The source is looked at only where servers are listed: a server has several addresses.
 */
function isOfServer(config: Dhcp4Config, lease: Lease4, { options }: Dhcp4Message, source: Ipv4): boolean {
  const server = readOption(options, 'dhcp-server-identifier');
  if (server.kind === 'malformed') return false;
  if (server.kind === 'value' && server.value !== lease.serverId) return false;
  return config.servers.length === 0 || isAllowedSource(config, source);
}
