import { toHex } from '../../base/bytes.ts';
import type { JsonObject } from '../../base/json.ts';
import { DHCP4_OPTIONS } from '../../wire/dhcp4/options.ts';
import { CLIENT_IDENTIFIER, invalid, sendableRow } from './option-row.ts';
import { encodeValue } from './typed-value.ts';

const AUTHENTICATION = DHCP4_OPTIONS.authenticate.code;
/** Hex of the first byte of option 90, the protocol, in the Forcerenew Nonce Authentication (RFC 6704 3.1.2). */
const RECONFIGURE_KEY = '03';

/** RFC 6704 3.1.1: a client MUST NOT send option 90 of this protocol; those of others (RFC 3118 4) it may. */
export function refuseNonceAuthentication(sent: Readonly<Record<number, string>>): void {
  if (sent[AUTHENTICATION]?.startsWith(RECONFIGURE_KEY) !== true) return;
  throw invalid(
    'authenticate (90): protocol 3 is what servers sign with, and no client sends it (RFC 6704): remove the entry',
  );
}

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
