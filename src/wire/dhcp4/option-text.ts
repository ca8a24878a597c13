import { utf8 } from '../../base/bytes.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { parseHexText, text as textCodec } from './codec-text.ts';
import { optionByName, type OptionRow } from './options.ts';

/** What the length byte can say (RFC 2132 section 2). */
const MAX_OPTION_BYTES = 255;
/** A bound for options that may be split: more than this cannot fit into a packet beside the rest. */
const MAX_SPLIT_BYTES = 1024;

function checkLength(row: OptionRow, bytes: Uint8Array): Result<Uint8Array, string> {
  const limit = row.splits === true ? MAX_SPLIT_BYTES : MAX_OPTION_BYTES;
  if (bytes.length > limit) {
    return err(`DHCP option ${row.name}: ${bytes.length} bytes, at most ${limit} fit: shorten the value`);
  }
  return ok(bytes);
}

/**
 * The bytes of a value as it stands in configuration. `0x` and hex digits are those bytes, for any option. Otherwise
 * text and opaque options (dhcp-client-identifier) and codes without a row are the text's own bytes, as in the
 * reference plugin, and others are read by their codec ("192.168.1.1, 192.168.1.2"). The error names option and remedy.
 */
export function encodeOptionText(option: OptionRow | number, value: string): Result<Uint8Array, string> {
  const found = typeof option === 'number' ? optionByName(String(option)) : ok(option);
  if (!found.ok) return found;
  const row = found.value;
  if (row.reserved === true) {
    return err(`DHCP option ${row.name} is set by the exchange itself: remove it from the configuration`);
  }
  if (!value.isWellFormed()) return err(`DHCP option ${row.name}: the value is not valid Unicode`);
  const hex = parseHexText(value);
  if (hex !== undefined)
    return hex.ok ? checkLength(row, hex.value) : err(`DHCP option ${row.name}: ${hex.error}`);
  if (row.codec === textCodec || row.literal === true) {
    if (value === '') return err(`DHCP option ${row.name}: the value must not be empty`);
    return checkLength(row, utf8(value));
  }
  const parsed = row.codec.parse(value);
  if (!parsed.ok) return err(`DHCP option ${row.name} (${row.codec.kind}): ${parsed.error}`);
  return checkLength(row, row.codec.encode(parsed.value));
}
