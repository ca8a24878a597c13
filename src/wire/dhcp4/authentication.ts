import { toHex } from '../../base/bytes.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { DHCP4_OPTIONS_AT } from './message.ts';
import { type OptionPieces, readOptionArea } from './option-area.ts';
import { DHCP4_OPTIONS, type Dhcp4Options } from './options.ts';

const CODE = DHCP4_OPTIONS.authenticate.code;

/** Protocol, algorithm and replay detection method of the Forcerenew Nonce Authentication (RFC 6704 3.1.2). */
const RECONFIGURE_KEY = 3;
const HMAC_MD5 = 1;
const COUNTER = 0;

/** Algorithms for option 145, FORCERENEW_NONCE_CAPABLE (RFC 6704 3.1.1): the one that is defined. */
export const NONCE_ALGORITHMS: readonly number[] = [HMAC_MD5];

/** Offsets in the value of option 90 (RFC 3118 2, RFC 6704 figures 3 and 4). */
const AT = { protocol: 0, algorithm: 1, method: 2, replay: 3, type: 11, value: 12 } as const;
const VALUE_BYTES = 16;
const WHOLE_BYTES = AT.value + VALUE_BYTES;

/** By the type of the authentication information (RFC 6704 3.1.2). */
const KINDS: ReadonlyMap<number | undefined, NonceAuthentication['kind']> = new Map([
  [1, 'nonce'],
  [2, 'digest'],
]);

/** What option 90 says in the Forcerenew Nonce Authentication protocol. */
export type NonceAuthentication = {
  /** The key itself, in an ACK; the HMAC-MD5 of the message, in a FORCERENEW. */
  readonly kind: 'nonce' | 'digest';
  /** The counter of replay detection: 16 hex digits in lower case, so that texts compare as the numbers do. */
  readonly replay: string;
  /** 16 bytes. */
  readonly value: Uint8Array;
};

/** `other-method`: another protocol, algorithm or method of replay detection, which is none of ours. */
export type NoAuthentication = 'absent' | 'other-method' | 'malformed';

export function readNonceAuthentication(
  options: Dhcp4Options,
): Result<NonceAuthentication, NoAuthentication> {
  const bytes = options.get(CODE);
  if (bytes === undefined) return err('absent');
  if (bytes.length < AT.type) return err('malformed');
  const method = [bytes[AT.protocol], bytes[AT.algorithm], bytes[AT.method]];
  if (method.join() !== [RECONFIGURE_KEY, HMAC_MD5, COUNTER].join()) return err('other-method');
  const kind = KINDS.get(bytes[AT.type]);
  if (bytes.length !== WHOLE_BYTES || kind === undefined) return err('malformed');
  return ok({
    kind,
    replay: toHex(bytes.subarray(AT.replay, AT.type)),
    value: bytes.subarray(AT.value),
  });
}

/** The value of option 90 for such an authentication. */
export function nonceAuthentication({ kind, replay, value }: NonceAuthentication): Uint8Array {
  const bytes = new Uint8Array(WHOLE_BYTES);
  bytes.set([RECONFIGURE_KEY, HMAC_MD5, COUNTER]);
  bytes.set(Uint8Array.fromHex(replay), AT.replay);
  bytes[AT.type] = kind === 'nonce' ? 1 : 2;
  bytes.set(value, AT.value);
  return bytes;
}

/**
 * What the digest in a message is computed over: all of the message as it was received, with the digest itself zero
 * (RFC 6704 3.1.3). `bytes` is a message that parseDhcp4 takes. Undefined where option 90 is not whole in the options
 * field: its 30 bytes need no second piece, and no other field.
 */
export function withoutDigest(bytes: Uint8Array): Uint8Array | undefined {
  const copy = Uint8Array.from(bytes);
  const pieces: OptionPieces = { values: new Map(), contradicted: new Set() };
  if (!readOptionArea(copy, DHCP4_OPTIONS_AT, copy.length, pieces)) return undefined;
  const value = pieces.values.get(CODE);
  // Pieces that were joined are no view of the message any more.
  if (value?.length !== WHOLE_BYTES || value.buffer !== copy.buffer) return undefined;
  value.fill(0, AT.value);
  return copy;
}
