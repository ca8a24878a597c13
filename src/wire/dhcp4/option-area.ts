import { OPTION_END, OPTION_OVERLOAD, OPTION_PAD, optionByCode, type Dhcp4Options } from './options.ts';

/** Code and length before each value (RFC 2132 section 2). */
const HEADER_BYTES = 2;
const MAX_PIECE_BYTES = 255;

/** What was read. */
export type OptionPieces = {
  readonly values: Map<number, Uint8Array>;
  /** Codes that came again with another value, where a code has one value: the first one is in `values`. */
  readonly contradicted: Set<number>;
};

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/**
 * All pieces of one option are joined in the order of the areas (RFC 3396 section 7), which assumes that a sender
 * repeats a code only to split a value: a reader "MUST consider them to be split portions". Servers also send what they
 * were configured to say beside what they say anyway (RFC 2131 4.1: "options may appear only once"). So this deviates
 * where a value has a fixed size and is complete: what follows is a copy of it and no piece, and joined it would be
 * malformed. The first one counts, as it does for udhcpc, dhcpcd and dhclient: dnsmasq writes what it means before what
 * it was told to add.
 */
function addPiece(into: OptionPieces, code: number, piece: Uint8Array): void {
  const before = into.values.get(code);
  if (before === undefined) into.values.set(code, piece);
  else if (before.length !== optionByCode(code)?.codec.size) into.values.set(code, join(before, piece));
  else if (!equalBytes(before, piece)) into.contradicted.add(code);
}

/**
 * Reads the options between `start` and `end` into `into`, up to End; false when an option runs past `end`. A missing
 * End is tolerated: old servers leave it out when the area is full. Values are views of `bytes`.
 */
export function readOptionArea(bytes: Uint8Array, start: number, end: number, into: OptionPieces): boolean {
  let at = start;
  while (at < end) {
    const code = bytes[at++] ?? OPTION_END;
    if (code === OPTION_PAD) continue;
    if (code === OPTION_END) break;
    const length = bytes[at++] ?? 0;
    // `at > end`: the length byte itself was already outside, and belongs to another field.
    if (at > end || at + length > end) return false;
    addPiece(into, code, bytes.subarray(at, at + length));
    at += length;
  }
  return true;
}

/** How many pieces a value needs; an empty one still has its header. */
function pieceCount(length: number): number {
  return Math.max(1, Math.ceil(length / MAX_PIECE_BYTES));
}

/** The bytes that writeOptionArea will write, without End. */
export function optionAreaSize(options: Dhcp4Options): number {
  let size = 0;
  for (const [code, value] of options) {
    if (code !== OPTION_OVERLOAD) size += value.length + HEADER_BYTES * pieceCount(value.length);
  }
  return size;
}

/**
 * Writes the options from `start` on and gives the offset after the last; long values go as consecutive pieces
 * (RFC 3396 section 6). Option 52 is left out: the reader consumed it, and nothing is written into file and sname.
 */
export function writeOptionArea(bytes: Uint8Array, start: number, options: Dhcp4Options): number {
  let at = start;
  for (const [code, value] of options) {
    if (code === OPTION_OVERLOAD) continue;
    for (let piece = 0; piece < pieceCount(value.length); piece++) {
      const from = piece * MAX_PIECE_BYTES;
      const part = value.length <= MAX_PIECE_BYTES ? value : value.subarray(from, from + MAX_PIECE_BYTES);
      bytes[at] = code;
      bytes[at + 1] = part.length;
      bytes.set(part, at + HEADER_BYTES);
      at += HEADER_BYTES + part.length;
    }
  }
  return at;
}
