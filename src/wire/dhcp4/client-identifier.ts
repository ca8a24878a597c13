import { decodeText } from './codec-text.ts';

/** RFC 4361 6.1: an IAID and a DUID follow. */
export const CLIENT_ID_DUID = 255;
/** RFC 2132 9.14: no hardware address; by custom text. */
export const CLIENT_ID_TEXT = 0;

const IAID_BYTES = 4;
/** RFC 8415 11.1: a type of two bytes, and at least one of an identifier. */
const LEAST_DUID_BYTES = 3;

/** What an administrator has to know of an option 61: each part as bytes with colons, as servers write it. */
export type ShownIdentifier = {
  readonly clientId: string;
  /** Behind the type byte 0, where all of it is plain text. */
  readonly text: string | null;
  /** Where it is of the form of RFC 4361. */
  readonly iaid: string | null;
  readonly duid: string | null;
};

/** Reads an option 61 for people: "such clients SHOULD provide a means by which an operator can learn" the DUID (RFC 4361 6.1). */
export function shownIdentifier(bytes: Uint8Array): ShownIdentifier {
  const [type] = bytes;
  const rest = bytes.subarray(1);
  const hasDuid = type === CLIENT_ID_DUID && rest.length >= IAID_BYTES + LEAST_DUID_BYTES;
  const text = type === CLIENT_ID_TEXT && rest.length > 0 ? decodeText(rest) : undefined;
  return {
    clientId: withColons(bytes),
    text: text?.ok === true ? text.value : null,
    iaid: hasDuid ? withColons(rest.subarray(0, IAID_BYTES)) : null,
    duid: hasDuid ? withColons(rest.subarray(IAID_BYTES)) : null,
  };
}

function withColons(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}
