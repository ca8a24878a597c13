import { toHex } from '../../base/bytes.ts';
import type { JsonObject } from '../../base/json.ts';
import { CLIENT_IDENTIFIER, invalid, sendableRow } from './option-row.ts';
import { encodeValue } from './typed-value.ts';

/** Options of DISCOVER and REQUEST: code to hex. */
export type SentOptions = ReadonlyMap<number, string>;

/**
 * The key `send`: options by name or code, each with its value. Null is no value. Throws CniError 7 naming the
 * key from `at` on.
 */
export function readSend(entries: JsonObject, at: string): SentOptions {
  const sent = new Map<number, string>();
  const names = new Map<number, string>();
  for (const [name, value] of Object.entries(entries)) {
    const key = `${at}.${name.slice(0, 64)}`;
    const row = sendableRow(name, key);
    if (row.code === CLIENT_IDENTIFIER) throw invalid(`${key}: is not sent from here: write "clientId"`);
    const other = names.get(row.code);
    if (other !== undefined) throw invalid(`${key}: ${row.name} is there already, as ${other}`);
    names.set(row.code, name);
    if (value === null) continue;
    const bytes = encodeValue(row, value);
    if (!bytes.ok) throw invalid(`${key}: ${bytes.error}`);
    sent.set(row.code, toHex(bytes.value));
  }
  return sent;
}
