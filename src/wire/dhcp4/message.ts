import { invariant } from '../../base/invariant.ts';
import { ipv4FromBytes, ipv4ToNumber, type Ipv4 } from '../../base/ipv4.ts';
import { macFromBytes, macToBytes, type Mac } from '../../base/mac.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { optionAreaSize, type OptionPieces, readOptionArea, writeOptionArea } from './option-area.ts';
import { OPTION_END, OPTION_OVERLOAD, type Dhcp4Options } from './options.ts';

/** A DHCP message for Ethernet (RFC 2131 section 2). Fields that a client has no use for (hops) are not kept. */
export type Dhcp4Message = {
  readonly op: 'request' | 'reply';
  /** Unsigned, 32 bits. */
  readonly xid: number;
  /** Seconds since the client began, 16 bits. */
  readonly secs: number;
  /** The one flag there is: "answer me by broadcast" (RFC 2131 figure 2). */
  readonly broadcast: boolean;
  readonly ciaddr: Ipv4;
  readonly yiaddr: Ipv4;
  readonly siaddr: Ipv4;
  readonly giaddr: Ipv4;
  readonly chaddr: Mac;
  /** Up to the first NUL, one character for each octet (ISO 8859-1) so that no octet is lost. At most 64. */
  readonly sname: string;
  /** Like sname; at most 128. Both are empty where the packet used the field for options. */
  readonly file: string;
  /** Option 52 is not among them: it only says where others are. */
  readonly options: Dhcp4Options;
  /**
   * Options of one value that were there again with another one: `options` has the first. Only in what was read, and
   * only where there are such.
   */
  readonly contradicted?: readonly number[];
};

/**
 * Why bytes are no message; at once log field, metric label and test expectation.
 *
 * - too-short: less than the fixed fields and the cookie
 * - too-long: more than MAX_DHCP4_BYTES, or its options would be when written into one area
 * - bad-op: neither BOOTREQUEST nor BOOTREPLY
 * - bad-hardware: not a six-byte address of an Ethernet
 * - bad-cookie: plain BOOTP or something else
 * - option-overrun: an option's length runs past its field
 * - bad-overload: option 52 is not one byte from 1 to 3, or stands in a field that it opened
 */
export type Malformed =
  | 'too-short'
  | 'too-long'
  | 'bad-op'
  | 'bad-hardware'
  | 'bad-cookie'
  | 'option-overrun'
  | 'bad-overload';

export const MALFORMED: readonly Malformed[] = [
  'too-short',
  'too-long',
  'bad-op',
  'bad-hardware',
  'bad-cookie',
  'option-overrun',
  'bad-overload',
];

/** Offsets of the fields (RFC 2131 figure 1). */
const AT = {
  op: 0,
  htype: 1,
  hlen: 2,
  xid: 4,
  secs: 8,
  flags: 10,
  ciaddr: 12,
  yiaddr: 16,
  siaddr: 20,
  giaddr: 24,
  chaddr: 28,
  sname: 44,
  file: 108,
  cookie: 236,
  options: 240,
} as const;

/** Where the options field begins, behind the cookie. */
export const DHCP4_OPTIONS_AT = AT.options;

const OP_REQUEST = 1;
const OP_REPLY = 2;
/** Ethernet in IANA's "arp-parameters". */
const HTYPE_ETHERNET = 1;
/** "IEEE 802 Networks" there: the addresses are the same. */
const HTYPE_IEEE802 = 6;
/**
 * What servers answer an Ethernet with; 0 is a field that nobody filled in. Taking them is safe: whose answer it is,
 * is told by xid and chaddr, which have to fit whatever the type is.
 */
const HTYPES_TAKEN: ReadonlySet<number | undefined> = new Set([0, HTYPE_ETHERNET, HTYPE_IEEE802]);
const HLEN_ETHERNET = 6;
/** The same of the length. */
const HLENS_TAKEN: ReadonlySet<number | undefined> = new Set([0, HLEN_ETHERNET]);
const FLAG_BROADCAST = 0x8000;
/** 99, 130, 83, 99 (RFC 2131 section 3). */
const MAGIC_COOKIE = 0x63825363;
/** BOOTP messages have 300 bytes, and old relays and servers drop shorter ones (RFC 951, RFC 1542 2.1). */
const MIN_EMIT_BYTES = 300;
/**
 * Longer messages are not read. Option 57 asks for less: for 1,500 bytes at most with the headers of IP and UDP (RFC 3442),
 * which are 28. This is for servers that count without them, where an uplink with jumbo frames brings it in one piece.
 */
export const MAX_DHCP4_BYTES = 1500;

const OVERLOAD_FILE = 1;
const OVERLOAD_SNAME = 2;

/** The field up to its first NUL, one character for each octet. */
function readField(bytes: Uint8Array, start: number, end: number): string {
  if (bytes[start] === 0) return '';
  const nul = bytes.indexOf(0, start);
  return String.fromCharCode(...bytes.subarray(start, nul < 0 || nul > end ? end : nul));
}

function writeField(bytes: Uint8Array, start: number, end: number, value: string): void {
  invariant(value.length <= end - start, `sname or file of ${value.length} characters`);
  for (let i = 0; i < value.length; i++) bytes[start + i] = value.charCodeAt(i);
}

type OptionFields = OptionPieces & { readonly overload: number };

/** Options of all areas: the options field, then file, then sname (RFC 2131 4.1, RFC 3396 section 5). */
function readOptions(bytes: Uint8Array): Result<OptionFields, Malformed> {
  const pieces: OptionPieces = { values: new Map(), contradicted: new Set() };
  if (!readOptionArea(bytes, AT.options, bytes.length, pieces)) return err('option-overrun');
  const field = pieces.values.get(OPTION_OVERLOAD);
  const overload = field === undefined ? 0 : readOverload(field);
  if (overload === undefined) return err('bad-overload');
  pieces.values.delete(OPTION_OVERLOAD);
  const areas = [
    { bit: OVERLOAD_FILE, start: AT.file, end: AT.cookie },
    { bit: OVERLOAD_SNAME, start: AT.sname, end: AT.file },
  ];
  for (const { bit, start, end } of areas) {
    if ((overload & bit) !== 0 && !readOptionArea(bytes, start, end, pieces)) return err('option-overrun');
  }
  if (pieces.values.has(OPTION_OVERLOAD)) return err('bad-overload');
  // So that every message that was read can be written again and read again: in one field, and with an End, which the
  // packet may lack.
  return sizeWith(pieces.values) > MAX_DHCP4_BYTES ? err('too-long') : ok({ ...pieces, overload });
}

/** Which fields option 52 opens, as bits. Undefined where it makes no sense. */
function readOverload(value: Uint8Array): number | undefined {
  const bits = value[0] ?? 0;
  const known = bits >= OVERLOAD_FILE && bits <= (OVERLOAD_FILE | OVERLOAD_SNAME);
  return value.length === 1 && known ? bits : undefined;
}

/** Reads the payload of a UDP packet. Never throws, and keeps no reference to `packet`. */
export function parseDhcp4(packet: Uint8Array): Result<Dhcp4Message, Malformed> {
  if (packet.length < AT.options) return err('too-short');
  if (packet.length > MAX_DHCP4_BYTES) return err('too-long');
  const op = packet[AT.op];
  if (op !== OP_REQUEST && op !== OP_REPLY) return err('bad-op');
  if (!HTYPES_TAKEN.has(packet[AT.htype]) || !HLENS_TAKEN.has(packet[AT.hlen])) return err('bad-hardware');

  // One copy, so that the values of the options can be views of it: receive buffers are used again.
  const bytes = new Uint8Array(packet);
  const view = new DataView(bytes.buffer);
  if (view.getUint32(AT.cookie) !== MAGIC_COOKIE) return err('bad-cookie');
  const read = readOptions(bytes);
  if (!read.ok) return read;
  const { overload, values, contradicted } = read.value;
  return ok({
    op: op === OP_REQUEST ? 'request' : 'reply',
    xid: view.getUint32(AT.xid),
    secs: view.getUint16(AT.secs),
    broadcast: (view.getUint16(AT.flags) & FLAG_BROADCAST) !== 0,
    ciaddr: ipv4FromBytes(bytes, AT.ciaddr),
    yiaddr: ipv4FromBytes(bytes, AT.yiaddr),
    siaddr: ipv4FromBytes(bytes, AT.siaddr),
    giaddr: ipv4FromBytes(bytes, AT.giaddr),
    chaddr: macFromBytes(bytes, AT.chaddr),
    sname: (overload & OVERLOAD_SNAME) === 0 ? readField(bytes, AT.sname, AT.file) : '',
    file: (overload & OVERLOAD_FILE) === 0 ? readField(bytes, AT.file, AT.cookie) : '',
    options: values,
    ...(contradicted.size === 0 ? {} : { contradicted: [...contradicted] }),
  });
}

/** Fixed fields, options and End. */
function sizeWith(options: Dhcp4Options): number {
  return AT.options + optionAreaSize(options) + 1;
}

/** The size that emitDhcp4 will give, to be compared with MAX_DHCP4_BYTES by whoever adds options of others. */
export function dhcp4Size(message: Dhcp4Message): number {
  return Math.max(MIN_EMIT_BYTES, sizeWith(message.options));
}

/**
 * The bytes of a message, padded to the 300 of BOOTP. The options go into the options field in the order of the
 * container; what parseDhcp4 gave comes back as the same message.
 */
export function emitDhcp4(message: Dhcp4Message): Uint8Array {
  const bytes = new Uint8Array(dhcp4Size(message));
  const view = new DataView(bytes.buffer);
  bytes[AT.op] = message.op === 'request' ? OP_REQUEST : OP_REPLY;
  bytes[AT.htype] = HTYPE_ETHERNET;
  bytes[AT.hlen] = HLEN_ETHERNET;
  view.setUint32(AT.xid, message.xid);
  view.setUint16(AT.secs, message.secs);
  view.setUint16(AT.flags, message.broadcast ? FLAG_BROADCAST : 0);
  view.setUint32(AT.ciaddr, ipv4ToNumber(message.ciaddr));
  view.setUint32(AT.yiaddr, ipv4ToNumber(message.yiaddr));
  view.setUint32(AT.siaddr, ipv4ToNumber(message.siaddr));
  view.setUint32(AT.giaddr, ipv4ToNumber(message.giaddr));
  bytes.set(macToBytes(message.chaddr), AT.chaddr);
  writeField(bytes, AT.sname, AT.file, message.sname);
  writeField(bytes, AT.file, AT.cookie, message.file);
  view.setUint32(AT.cookie, MAGIC_COOKIE);
  bytes[writeOptionArea(bytes, AT.options, message.options)] = OPTION_END;
  return bytes;
}

/**
 * For whom bytes are meant that parseDhcp4 refused, so that whoever waits can be told that something came. Undefined
 * when not even that can be read; believed by nobody for anything else.
 */
export function addresseeOf(bytes: Uint8Array): { readonly xid: number; readonly chaddr: Mac } | undefined {
  if (bytes.length < AT.chaddr + HLEN_ETHERNET) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { xid: view.getUint32(AT.xid), chaddr: macFromBytes(bytes, AT.chaddr) };
}
