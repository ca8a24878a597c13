import { isDnsLabel, isDnsName, MAX_LABEL } from '../../base/dns-name.ts';
import { ipv4ToBytes, type Ipv4 } from '../../base/ipv4.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { parseAll, splitItems, type Codec, type Decoded } from './codec.ts';
import { ipv4List } from './codec-address.ts';

/** RFC 1035 2.3.4, counting the length bytes and the root. */
const MAX_NAME_BYTES = 255;
/** The two high bits that tell a pointer from a length (RFC 1035 4.1.4). */
const POINTER_BITS = 0xc0;
/** The offset is what is left of two bytes. */
const MOST_OFFSET = 0x3fff;
/** A pointer of two bytes can stand for a name of 255, so the list needs a bound of its own. */
export const MAX_NAMES = 64;

/** Cuts one trailing dot, the root. */
function withoutRoot(name: string): string {
  return name.endsWith('.') ? name.slice(0, -1) : name;
}

/** The labels in wire form; the root's zero byte is added when `rooted`. */
export function encodeName(name: string, rooted: boolean): Uint8Array {
  const bytes: number[] = [];
  const relative = withoutRoot(name);
  for (const label of relative === '' ? [] : relative.split('.')) {
    bytes.push(label.length);
    for (let i = 0; i < label.length; i++) bytes.push(label.charCodeAt(i));
  }
  if (rooted) bytes.push(0);
  return Uint8Array.from(bytes);
}

/** A host or domain name without its trailing dot. */
export function parseName(text: string): Result<string, string> {
  const name = withoutRoot(text);
  const labels = name.split('.');
  if (!labels.every(isDnsLabel)) return err(`"${text}" is not a domain name`);
  return isDnsName(name) ? ok(name) : err(`"${text}" is longer than a domain name may be`);
}

/** A name read from the wire; `rooted` is false when the bytes ended without the root label. */
export type WireName = { readonly name: string; readonly next: number; readonly rooted: boolean };

/**
 * One name at `start`. Pointers are followed only backwards, each to before the last, so no loop exists; where
 * `compressed` is false they are errors.
 */
export function decodeName(bytes: Uint8Array, start: number, compressed: boolean): Result<WireName, string> {
  const labels: string[] = [];
  let size = 1;
  let at = start;
  let next: number | undefined;
  let limit = start;
  while (at < bytes.length) {
    const length = bytes[at] ?? 0;
    if (length === 0) return ok({ name: labels.join('.'), next: next ?? at + 1, rooted: true });
    if (length >= POINTER_BITS) {
      const low = bytes[at + 1];
      if (!compressed || low === undefined) return err('a compression pointer that may not be there');
      const target = ((length & ~POINTER_BITS) << 8) | low;
      if (target >= limit) return err('a compression pointer that does not point backwards');
      next ??= at + 2;
      limit = target;
      at = target;
      continue;
    }
    size += length + 1;
    if (length > MAX_LABEL || size > MAX_NAME_BYTES) return err('a label or name is too long');
    const end = at + 1 + length;
    if (end > bytes.length) return err('a label is cut off');
    const label = String.fromCharCode(...bytes.subarray(at + 1, end));
    if (!isDnsLabel(label)) return err('a label has characters that no host name has');
    labels.push(label);
    at = end;
  }
  return ok({ name: labels.join('.'), next: next ?? at, rooted: false });
}

/** One name of a list, which says something and is whole. */
function decodeListed(bytes: Uint8Array, at: number, compressed: boolean): Result<WireName, string> {
  const name = decodeName(bytes, at, compressed);
  if (!name.ok) return name;
  if (!name.value.rooted) return err('the last name is cut off');
  return name.value.name === '' ? err('an empty name') : name;
}

/** Where the name at `start` ends, whatever is in it. Undefined where that cannot be told. */
function endOfName(bytes: Uint8Array, start: number): number | undefined {
  let at = start;
  while (at < bytes.length) {
    const length = bytes[at] ?? 0;
    if (length === 0) return at + 1;
    if (length >= POINTER_BITS) return at + 2;
    // The two other kinds of label are reserved (RFC 1035 4.1.4): nobody knows how long they are.
    if (length > MAX_LABEL) return undefined;
    at += 1 + length;
  }
  return undefined;
}

/** The good names, for one that is wrong must not cost the others; at most MAX_NAMES are looked at. */
function decodeNames(bytes: Uint8Array, compressed: boolean): Decoded<readonly string[]> {
  const names: string[] = [];
  const faults: string[] = [];
  let at: number | undefined = 0;
  while (at !== undefined && at < bytes.length) {
    if (names.length + faults.length === MAX_NAMES) {
      faults.push(`more than ${MAX_NAMES} names`);
      break;
    }
    const name = decodeListed(bytes, at, compressed);
    if (name.ok) names.push(name.value.name);
    else faults.push(name.error);
    at = name.ok ? name.value.next : endOfName(bytes, at);
  }
  const [fault, ...more] = faults;
  if (names.length === 0) return err(fault ?? 'no name');
  if (fault === undefined) return ok(names);
  const what = more.length === 0 ? 'a name' : `${faults.length} names`;
  return { ok: true, value: names, remark: `left out ${what}: ${[...new Set(faults)].join('; ')}` };
}

/**
 * RFC 3397 section 2: names MUST be encoded "using the technique described in section 4.1.4" of RFC 1035, in which the
 * end of a name that was there before is a pointer to it, counted from the beginning of the value.
 */
function compressNames(names: readonly string[]): Uint8Array {
  const bytes: number[] = [];
  const seen = new Map<string, number>();
  for (const name of names) {
    let rest = withoutRoot(name);
    while (rest !== '' && !seen.has(rest)) {
      if (bytes.length <= MOST_OFFSET) seen.set(rest, bytes.length);
      const [label = ''] = rest.split('.', 1);
      bytes.push(...encodeName(label, false));
      rest = rest.slice(label.length + 1);
    }
    const target = seen.get(rest);
    if (target === undefined) bytes.push(0);
    else bytes.push(POINTER_BITS | (target >>> 8), target & 0xff);
  }
  return Uint8Array.from(bytes);
}

function encodeNames(names: readonly string[]): Uint8Array {
  return Uint8Array.from(names.flatMap((name) => [...encodeName(name, true)]));
}

function parseNames(text: string): Result<readonly string[], string> {
  const items = splitItems(text);
  if (items.length === 0) return err('at least one domain name is needed');
  return items.length > MAX_NAMES ? err(`more than ${MAX_NAMES} names`) : parseAll(items, parseName);
}

function nameList(compressed: boolean): Codec<readonly string[]> {
  return {
    kind: 'domain names',
    decode: (bytes) => decodeNames(bytes, compressed),
    encode: compressed ? compressNames : encodeNames,
    parse: parseNames,
    format: (names) => names.join(', '),
  };
}

/** A search list with compression inside the option (RFC 3397, RFC 1035 4.1.4). */
export const searchList = nameList(true);

/** Names in wire form without compression (RFC 4280, RFC 6011). */
export const domainNames = nameList(false);

/** Exactly one name in wire form without compression. */
export const domainName: Codec<string> = {
  kind: 'domain name',
  decode(bytes) {
    const name = decodeListed(bytes, 0, false);
    if (!name.ok) return name;
    return name.value.next < bytes.length ? err('more than one name') : ok(name.value.name);
  },
  encode: (name) => encodeName(name, true),
  parse: parseName,
  format: String,
};

/** SIP servers, by name or by address (RFC 3361 section 3). */
export type SipServers =
  | { readonly by: 'name'; readonly names: readonly string[] }
  | { readonly by: 'address'; readonly addresses: readonly Ipv4[] };

const SIP_NAMES = 0;
const SIP_ADDRESSES = 1;

export const sipServers: Codec<SipServers> = {
  kind: 'domain names or IPv4 addresses',
  decode(bytes) {
    const body = bytes.subarray(1);
    if (bytes[0] === SIP_NAMES) {
      const names = decodeNames(body, true);
      return names.ok ? ok({ by: 'name', names: names.value }) : names;
    }
    if (bytes[0] === SIP_ADDRESSES) {
      const addresses = ipv4List.decode(body);
      return addresses.ok ? ok({ by: 'address', addresses: addresses.value }) : addresses;
    }
    return err(bytes.length === 0 ? 'empty' : `encoding ${bytes[0]}`);
  },
  encode(value) {
    if (value.by === 'name') return Uint8Array.of(SIP_NAMES, ...encodeNames(value.names));
    return Uint8Array.of(SIP_ADDRESSES, ...value.addresses.flatMap((address) => [...ipv4ToBytes(address)]));
  },
  parse(text) {
    const addresses = ipv4List.parse(text);
    if (addresses.ok) return ok({ by: 'address', addresses: addresses.value });
    const names = parseNames(text);
    return names.ok ? ok({ by: 'name', names: names.value }) : names;
  },
  format: (value) => (value.by === 'name' ? value.names : value.addresses).join(', '),
};
