import { toHex, utf8 } from '../../base/bytes.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { parseHexText } from '../../wire/dhcp4/codec-text.ts';
import { nearest } from '../../base/nearest.ts';
import { quoted } from '../spec/errors.ts';
import { CLIENT_ID_POLICIES, type ClientIdPolicy, MAX_IDENTIFIER_TEXT, textId } from './client-id.ts';

/** RFC 2132 9.14: "its minimum length is 2". */
const MIN_BYTES = 2;
const MAX_BYTES = 255;
const FORMS = `${CLIENT_ID_POLICIES.join(', ')}, or an identifier as text or as 0x and hex digits`;

/**
 * The key `clientId`. Text goes behind a type byte 0; hex is all of the option. Text that looks like a policy is
 * refused, since all pods of the network would share that one identifier, and with it one address.
 */
export function parseClientId(text: string): Result<ClientIdPolicy, string> {
  const policy = CLIENT_ID_POLICIES.find((known) => known === text);
  if (policy !== undefined) return ok({ kind: policy });
  const hex = parseHexText(text);
  if (hex !== undefined) return hex.ok ? bounded(hex.value) : err(hex.error);
  const near = nearest(text.toLowerCase(), CLIENT_ID_POLICIES);
  if (near !== undefined) {
    const own = toHex(utf8(text));
    return err(
      `${quoted(text)} is no policy: did you mean "${near}"? An identifier of that very text is 0x00${own}`,
    );
  }
  if (text === '') return err(`must not be empty; it is ${FORMS}`);
  if (/[{}]/.test(text)) return err(`${quoted(text)}: takes no templates; "pod" is an identity per pod`);
  if (!text.isWellFormed()) return err('is not valid Unicode');
  const bytes = utf8(text);
  if (bytes.length > MAX_IDENTIFIER_TEXT) {
    return err(`has ${bytes.length} bytes; at most ${MAX_IDENTIFIER_TEXT} fit`);
  }
  return ok({ kind: 'bytes', hex: textId(bytes) });
}

function bounded(bytes: Uint8Array): Result<ClientIdPolicy, string> {
  return bytes.length < MIN_BYTES || bytes.length > MAX_BYTES
    ? err(`has ${bytes.length} bytes, not ${MIN_BYTES} to ${MAX_BYTES} (RFC 2132 9.14)`)
    : ok({ kind: 'bytes', hex: toHex(bytes) });
}
