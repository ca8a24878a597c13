/** Gives a whole number from 0 to below `bound`. */
export type Random = (bound: number) => number;

/** Marsaglia's xorshift with 32 bits of state: the same seed gives the same packets everywhere. */
export function xorshift32(seed: number): Random {
  let state = seed >>> 0 || 1;
  return (bound) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % bound;
  };
}

const OPTIONS_AT = 240;
const MAX_MUTATIONS = 4;
/** One in so many mutations goes anywhere; the rest go behind the cookie, where the parser does its work. */
const ANYWHERE = 8;
const PARAMETERS = [0, 1, 3, 52, 63, 127, 191, 192, 254, 255];

function position(bytes: Uint8Array, random: Random): number {
  if (bytes.length <= OPTIONS_AT || random(ANYWHERE) === 0) return random(Math.max(1, bytes.length));
  return OPTIONS_AT + random(bytes.length - OPTIONS_AT);
}

/** The offset of the length byte of some option, found by walking over them. */
function lengthByte(bytes: Uint8Array, random: Random): number {
  let left = random(12);
  let at = OPTIONS_AT;
  while (left-- > 0 && at + 1 < bytes.length && bytes[at] !== 255) at += 2 + (bytes[at + 1] ?? 0);
  return Math.min(at + 1, bytes.length - 1);
}

function insert(bytes: Uint8Array, at: number, piece: Uint8Array): Uint8Array {
  const longer = new Uint8Array(bytes.length + piece.length);
  longer.set(bytes.subarray(0, at));
  longer.set(piece, at);
  longer.set(bytes.subarray(at), at + piece.length);
  return longer;
}

function mutateOnce(bytes: Uint8Array, corpus: readonly Uint8Array[], random: Random): Uint8Array {
  const at = position(bytes, random);
  switch (random(8)) {
    case 0:
    case 1:
      return bytes.length === 0 ? bytes : bytes.with(at, (bytes[at] ?? 0) ^ (1 << random(8)));
    case 2:
      return bytes.length === 0 ? bytes : bytes.with(at, PARAMETERS[random(PARAMETERS.length)] ?? 0);
    case 3: {
      const length = lengthByte(bytes, random);
      return length < 0 ? bytes : bytes.with(length, random(2) === 0 ? random(256) : random(12));
    }
    case 4:
      return bytes.subarray(0, at);
    case 5: {
      // Splice: the tail of another packet.
      const other = corpus[random(corpus.length)] ?? bytes;
      return insert(bytes.subarray(0, at), at, other.subarray(position(other, random)));
    }
    case 6: {
      // Duplication of a part, which may hold whole options.
      const piece = bytes.subarray(at, at + random(300));
      return insert(bytes, at, piece);
    }
    default: {
      // An option, or option 52 most of all, where one may begin.
      const piece = random(3) === 0 ? [52, 1, random(5)] : [random(256), 1, random(256)];
      return insert(bytes, Math.min(bytes.length, OPTIONS_AT), Uint8Array.from(piece));
    }
  }
}

/** A packet of the corpus after one to four mutations. */
export function mutate(corpus: readonly Uint8Array[], random: Random): Uint8Array {
  let bytes = corpus[random(corpus.length)] ?? new Uint8Array(0);
  for (let n = 1 + random(MAX_MUTATIONS); n > 0; n--) bytes = mutateOnce(bytes, corpus, random);
  return bytes;
}
