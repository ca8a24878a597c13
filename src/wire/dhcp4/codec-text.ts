import { fromHex, toHex, utf8 } from '../../base/bytes.ts';
import { isPlain } from '../../base/outside-text.ts';
import { err, ok, type Result } from '../../base/result.ts';
import type { Codec } from './codec.ts';

// A byte order mark is kept, so that encode gives back what decode took.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** UTF-8 text that is plain: it ends up in files and terminals. Gives a reason for anything else. */
export function decodeText(bytes: Uint8Array): Result<string, string> {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch (error) {
    // TextDecoder has no other way to say "not UTF-8"; anything else is not ours to hide.
    if (!(error instanceof TypeError)) throw error;
    return err('not UTF-8');
  }
  return isPlain(text) ? ok(text) : err('control or format characters');
}

/**
 * NVT ASCII in the RFCs, UTF-8 in the field. "The receiver of such options MUST be prepared to delete trailing nulls"
 * (RFC 2132 section 2). Empty text is malformed: every text option has a least length of 1.
 */
export const text: Codec<string> = {
  kind: 'text',
  decode(bytes) {
    let end = bytes.length;
    while (end > 0 && bytes[end - 1] === 0) end--;
    return end === 0 ? err('empty') : decodeText(bytes.subarray(0, end));
  },
  encode: utf8,
  parse(value) {
    if (value === '') return err('the text must not be empty');
    return isPlain(value) ? ok(value) : err('the text must not hold control or format characters');
  },
  format: String,
};

const HEX_PREFIX = '0x';

/**
 * `0x` and hex digits, or undefined when the text does not begin so; an error when it does but is not hex. Every
 * option takes this form in configuration, whatever its codec.
 */
export function parseHexText(value: string): Result<Uint8Array, string> | undefined {
  if (!value.startsWith(HEX_PREFIX)) return undefined;
  const bytes = fromHex(value.slice(HEX_PREFIX.length));
  return bytes === undefined ? err(`"${value}" is not 0x and an even number of hex digits`) : ok(bytes);
}

export function formatHexText(bytes: Uint8Array): string {
  return HEX_PREFIX + toHex(bytes);
}

/** Opaque bytes, at least `min` of them and at most `max`. In configuration `0x...`, else the text's own bytes. */
export function opaque(min = 0, max = Number.POSITIVE_INFINITY): Codec<Uint8Array> {
  const check = (bytes: Uint8Array): Result<Uint8Array, string> => {
    if (bytes.length < min) return err(`${bytes.length} bytes, at least ${min} are needed`);
    return bytes.length > max ? err(`${bytes.length} bytes, at most ${max} are allowed`) : ok(bytes);
  };
  return {
    kind: min === max ? `${min} bytes` : 'bytes',
    ...(min === max ? { size: min } : {}),
    decode: check,
    encode: (value) => value,
    parse(value) {
      const bytes = parseHexText(value) ?? ok(utf8(value));
      return bytes.ok ? check(bytes.value) : bytes;
    },
    format: formatHexText,
  };
}
