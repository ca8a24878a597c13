import { concat, toHex, utf8 } from '../../base/bytes.ts';
import { type Mac, macToBytes } from '../../base/mac.ts';
import { keyText, type LeaseKey } from '../../lease/record.ts';
import { CLIENT_ID_DUID, CLIENT_ID_TEXT } from '../../wire/dhcp4/client-identifier.ts';
import { keyedHash } from './keyed-hash.ts';
import type { IdentityScope, Subject } from './subject.ts';

export const CLIENT_ID_POLICIES = ['container', 'pod', 'mac', 'duid', 'anonymous'] as const;

/** How option 61 is made; `bytes` is hex as it goes on the wire. */
export type ClientIdPolicy =
  | { readonly kind: (typeof CLIENT_ID_POLICIES)[number] }
  | { readonly kind: 'bytes'; readonly hex: string };

/** RFC 2132 9.14: a hardware type of IANA's ARP registry, 1 for Ethernet. */
const TYPE_ETHERNET = 1;
const IAID_BYTES = 4;
/** RFC 6355 4: DUID-UUID, as two bytes. */
const DUID_TYPE_UUID = 4;
const UUID_BYTES = 16;
/** RFC 9562 5.8: a UUID whose bits are the maker's own affair. */
const UUID_VERSION_8 = 0x80;
/** RFC 9562 4.1. */
const UUID_VARIANT = 0x80;

/** With the type byte 255, the most that an option holds. */
export const MAX_IDENTIFIER_TEXT = 254;
/** Of the hash that takes the place of what does not fit. */
const CUT_HASH_BYTES = 8;

/** What an identifier is made from. */
export type ClientIdParts = {
  readonly key: LeaseKey;
  readonly subject: Subject;
  readonly scope: IdentityScope;
  readonly mac: Mac;
};

/** Option 61 as hex. `pod` without a pod is `container`; `duid` without one belongs to the container. */
export function clientIdOf(policy: ClientIdPolicy, parts: ClientIdParts): string {
  switch (policy.kind) {
    case 'bytes':
      return policy.hex;
    case 'mac':
    // RFC 7844 3.5: "client identifiers based solely on the link-layer address".
    case 'anonymous':
      return toHex(Uint8Array.of(TYPE_ETHERNET, ...macToBytes(parts.mac)));
    case 'duid':
      return duidId(parts);
    case 'pod':
      return parts.subject.kind === 'pod' ? podId(parts, parts.subject) : containerId(parts.key);
    case 'container':
      return containerId(parts.key);
  }
}

/** An identifier that is text, behind the type byte that says so. */
export function textId(text: Uint8Array): string {
  return toHex(Uint8Array.of(CLIENT_ID_TEXT, ...text));
}

/** As the Go plugin forms it, so that a node can change over without its pods changing identity at the server. */
function containerId(key: LeaseKey): string {
  return textId(utf8(keyText(key)).subarray(0, MAX_IDENTIFIER_TEXT));
}

/**
 * `[cluster/]namespace/name/interface`: a person finds it in the server's list of leases and can write a reservation
 * for it. What is too long keeps its beginning, and a hash in the place of its end.
 */
function podId({ key, scope }: ClientIdParts, subject: Extract<Subject, { kind: 'pod' }>): string {
  const cluster = scope.cluster === '' ? [] : [scope.cluster];
  const path = [...cluster, subject.within, subject.name, key.ifname].map(asPathPart).join('/');
  const bytes = utf8(path);
  if (bytes.length <= MAX_IDENTIFIER_TEXT) return textId(bytes);
  const hash = keyedHash(scope, subject, ['client-id', key.ifname]).subarray(0, CUT_HASH_BYTES);
  const end = utf8(`~${toHex(hash)}`);
  return textId(concat([bytes.subarray(0, MAX_IDENTIFIER_TEXT - end.length), end]));
}

/** Names that only their maker has checked: a slash within one is no border. */
function asPathPart(text: string): string {
  return text.toWellFormed().replaceAll(/[^\w.@-]/gu, encodeURIComponent);
}

/**
 * RFC 4361 6.1, with a DUID-UUID (RFC 6355) from the pod's name. The IAID comes from the interface's name: it must
 * differ between the interfaces of one DUID and be the same after a restart (RFC 4361 6.1, RFC 8415 section 12).
 */
function duidId({ key, scope, subject }: ClientIdParts): string {
  const iaid = keyedHash(scope, subject, ['iaid', key.ifname]).subarray(0, IAID_BYTES);
  const uuid = keyedHash(scope, subject, ['duid']).slice(0, UUID_BYTES);
  uuid[6] = ((uuid[6] ?? 0) & 0x0f) | UUID_VERSION_8;
  uuid[8] = ((uuid[8] ?? 0) & 0x3f) | UUID_VARIANT;
  return toHex(concat([Uint8Array.of(CLIENT_ID_DUID), iaid, Uint8Array.of(0, DUID_TYPE_UUID), uuid]));
}
