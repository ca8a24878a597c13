import { utf8 } from '../../base/bytes.ts';
import { clientFqdn } from '../../wire/dhcp4/codec-class.ts';
import { cleanName } from './dns-name.ts';

/** Who writes the name into the DNS: the server all of it, the server the reverse entry only, nobody. */
export const FQDN_UPDATES = ['server', 'reverse', 'none'] as const;

export type FqdnUpdate = (typeof FQDN_UPDATES)[number];

/** Option 12 (RFC 2132 3.14); undefined when nothing of the text is a name. */
export function hostNameOption(text: string): Uint8Array | undefined {
  const name = cleanName(text);
  return name === '' ? undefined : utf8(name);
}

/**
 * Option 81 (RFC 4702 2), in wire form (E); undefined when nothing of the text is a name. A name of several labels, or
 * with a dot behind it, is fully qualified; a single label is partial: the server adds its domain (2.3).
 */
export function fqdnOption(text: string, update: FqdnUpdate): Uint8Array | undefined {
  const name = cleanName(text);
  if (name === '') return undefined;
  const qualified = name.includes('.') || text.endsWith('.');
  return clientFqdn.encode({
    serverUpdates: update === 'server',
    // "A client MUST set this bit to 0" (RFC 4702 2.1).
    overridden: false,
    encoded: true,
    // "If the N bit is 1, the S bit MUST be 0" (RFC 4702 2.1).
    noUpdates: update === 'none',
    name: qualified ? `${name}.` : name,
  });
}
