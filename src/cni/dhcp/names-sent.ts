import { toHex } from '../../base/bytes.ts';
import { DHCP4_OPTIONS } from '../../wire/dhcp4/options.ts';
import { fqdnOption, hostNameOption } from '../identity/host-name.ts';
import { fillTemplate, type PlaceholderValues, type Template } from '../identity/template.ts';
import type { DhcpKeys } from './keys.ts';
import type { SentOptions } from './send.ts';

const HOST_NAME = DHCP4_OPTIONS['host-name'].code;
const FQDN = DHCP4_OPTIONS.fqdn.code;

/** A name that is not sent although it was configured: `event` is what it is counted as. */
export type NameNote = {
  readonly event: 'name-without-pod' | 'host-name-beside-fqdn';
  readonly text: string;
};

export type NamesSent = { readonly options: SentOptions; readonly notes: readonly NameNote[] };

const BESIDE_FQDN =
  'host-name: is not sent beside fqdn, which says the same (RFC 4702 3.1): remove one of the two from the configuration';

/**
 * What is stated (`send`, `provide`), and of the templates the options 12 and 81 that are not. Where 81 goes along 12
 * does not, wherever the two come from: "clients that send the Client FQDN option in their messages MUST NOT also send
 * the Host Name option" (RFC 4702 3.1). It is left out and not refused, for the Go plugin sends both, and servers that
 * know 81 pass over 12 (RFC 4702 4). `notes` says which name was left out where somebody may miss it.
 */
export function namesSent(
  { hostname, fqdn }: DhcpKeys,
  values: PlaceholderValues,
  stated: SentOptions,
): NamesSent {
  const options = new Map(stated);
  const notes: NameNote[] = [];
  const put = (
    code: number,
    key: string,
    template: Template,
    encode: (text: string) => Uint8Array | undefined,
  ): void => {
    if (stated.has(code)) return;
    const filled = fillTemplate(template, values);
    if (filled.kind === 'without') {
      const text = `${key}: the runtime does not say what {${filled.placeholder}} is; no name is sent`;
      notes.push({ event: 'name-without-pod', text });
      return;
    }
    const bytes = encode(filled.text);
    if (bytes !== undefined) options.set(code, toHex(bytes));
  };
  if (fqdn !== undefined) put(FQDN, 'fqdn', fqdn.name, (text) => fqdnOption(text, fqdn.update));
  if (!options.has(FQDN)) {
    if (hostname !== undefined) put(HOST_NAME, 'hostname', hostname, hostNameOption);
  } else if (options.delete(HOST_NAME)) notes.push({ event: 'host-name-beside-fqdn', text: BESIDE_FQDN });
  return { options, notes };
}
