import { parseIpv4, type Ipv4 } from '../base/ipv4.ts';
import { parseMac } from '../base/mac.ts';
import type { ServerLease } from './lease-files.ts';

const BLOCK = /^lease (\S+) \{\n([^]*?)^\}/gm;
const BYTE_HEX_DIGITS = 2;
const OCTAL = 8;

function hexOf(byte: number): string {
  return byte.toString(16).padStart(BYTE_HEX_DIGITS, '0');
}

/** A uid is written as text with octal escapes: `"\000\377a\"b"`. */
function unescaped(text: string): string {
  const bytes: string[] = [];
  for (const match of text.matchAll(/\\([0-7]{3})|\\(.)|([^\\])/g)) {
    const [, octal, escaped, plain] = match;
    const byte = octal === undefined ? (escaped ?? plain ?? '').charCodeAt(0) : Number.parseInt(octal, OCTAL);
    bytes.push(hexOf(byte));
  }
  return bytes.join(':');
}

/** `ends epoch 1795354553; # date`, or `ends never;`. */
function endOf(body: string): number | undefined | 'unreadable' {
  if (/^ {2}ends never;/m.test(body)) return undefined;
  const epoch = /^ {2}ends epoch (\d+);/m.exec(body)?.[1];
  return epoch === undefined ? 'unreadable' : Number(epoch);
}

/**
 * dhcpd.leases(5) with `db-time-format local`: a journal of blocks, the last one of an address holds. Only leases in
 * the state `active` that have not ended; a block that is cut off or of another form is passed over.
 */
export function parseIscLeases(text: string, nowSeconds: number): readonly ServerLease[] {
  const latest = new Map<Ipv4, ServerLease | undefined>();
  for (const [, address = '', body = ''] of text.matchAll(BLOCK)) {
    const ip = parseIpv4(address);
    if (ip === undefined) continue;
    const mac = parseMac(/^ {2}hardware ethernet (\S+);/m.exec(body)?.[1] ?? '');
    const expiresAt = endOf(body);
    const active = /^ {2}binding state active;/m.test(body);
    const uid = /^ {2}uid "(.*)";/m.exec(body)?.[1];
    const hostname = /^ {2}client-hostname "(.*)";/m.exec(body)?.[1]?.toLowerCase();
    const usable = active && mac !== undefined && expiresAt !== 'unreadable';
    const clientId = uid === undefined ? undefined : unescaped(uid);
    latest.set(ip, usable ? { ip, mac, hostname, clientId, expiresAt } : undefined);
  }
  return [...latest.values()].flatMap((lease) =>
    lease !== undefined && (lease.expiresAt === undefined || lease.expiresAt > nowSeconds) ? [lease] : [],
  );
}
