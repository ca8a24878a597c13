import { invariant } from './invariant.ts';
import { ipv4ToBytes, parseIpv4 } from './ipv4.ts';

/** An IPv6 address as its canonical text (RFC 5952): lower case, longest run of zeros compressed. */
export type Ipv6 = string & { readonly __brand: 'Ipv6' };

const GROUP = /^[0-9a-fA-F]{1,4}$/;

/** `dotted`: whether the last part may be an IPv4 address, which is so only at the end of the whole (RFC 4291 2.2). */
function groupsOf(text: string, dotted: boolean): number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  const groups: number[] = [];
  for (const [i, part] of parts.entries()) {
    if (dotted && i === parts.length - 1 && part.includes('.')) {
      const v4 = parseIpv4(part);
      if (v4 === undefined) return undefined;
      const [a = 0, b = 0, c = 0, d = 0] = ipv4ToBytes(v4);
      groups.push(a * 256 + b, c * 256 + d);
    } else if (GROUP.test(part)) {
      groups.push(Number.parseInt(part, 16));
    } else {
      return undefined;
    }
  }
  return groups;
}

export function parseIpv6(text: string): Ipv6 | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = groupsOf(halves[0] ?? '', halves.length === 1);
  const tail = halves.length === 2 ? groupsOf(halves[1] ?? '', true) : [];
  if (head === undefined || tail === undefined) return undefined;
  // A compressed form stands for at least one group; an uncompressed one has exactly eight.
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  return fromGroups([...head, ...Array.from({ length: missing }, () => 0), ...tail]);
}

function fromGroups(groups: readonly number[]): Ipv6 {
  let best = { at: -1, length: 1 };
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (at + length < 8 && groups[at + length] === 0) length++;
    if (length > best.length) best = { at, length };
  }
  const hex = groups.map((group) => group.toString(16));
  if (best.at < 0) return hex.join(':') as Ipv6;
  const head = hex.slice(0, best.at).join(':');
  const tail = hex.slice(best.at + best.length).join(':');
  return `${head}::${tail}` as Ipv6;
}

/** For constants in code and tests; throws on a bad literal. */
export function ipv6(text: string): Ipv6 {
  const address = parseIpv6(text);
  invariant(address !== undefined, `not an IPv6 address: ${text}`);
  return address;
}

export function ipv6FromBytes(bytes: Uint8Array): Ipv6 {
  invariant(bytes.length === 16, 'sixteen bytes make an IPv6 address');
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  return fromGroups([0, 2, 4, 6, 8, 10, 12, 14].map((at) => view.getUint16(at)));
}

export function ipv6ToBytes(address: Ipv6): Uint8Array {
  const [head = '', tail] = address.split('::');
  const left = groupsOf(head, false) ?? [];
  const right = tail === undefined ? [] : (groupsOf(tail, false) ?? []);
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  left.forEach((group, i) => view.setUint16(i * 2, group));
  right.forEach((group, i) => view.setUint16(16 - (right.length - i) * 2, group));
  return bytes;
}
