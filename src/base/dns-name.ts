/** RFC 1035 2.3.4. */
export const MAX_LABEL = 63;
/** RFC 1035 2.3.4: 255 bytes on the wire, of which the first length byte and the root take two. */
export const MAX_NAME = 253;

/**
 * Letters, digits, hyphen (RFC 1123 2.1) and the underscore of the field. Nothing else: these names go into resolv.conf,
 * where a blank begins another word, and into scripts.
 */
const LABEL = /^[A-Za-z0-9_-]+$/;

/** Whether a text is one label of a name that may come from outside. */
export function isDnsLabel(text: string): boolean {
  return text.length <= MAX_LABEL && LABEL.test(text);
}

/** Whether a text is such a name, without the trailing dot of the root. */
export function isDnsName(text: string): boolean {
  return text.length <= MAX_NAME && text.split('.').every(isDnsLabel);
}

/** The same as a server or another plugin writes it, with or without the dot of the root; undefined for what is none. */
export function readDnsName(text: string): string | undefined {
  const name = text.endsWith('.') ? text.slice(0, -1) : text;
  return isDnsName(name) ? name : undefined;
}
