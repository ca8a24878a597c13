import { toHex } from '../../base/bytes.ts';
import { DHCP4_OPTIONS } from '../../wire/dhcp4/options.ts';
import { fqdnOption, hostNameOption } from '../identity/host-name.ts';
import { fillTemplate, type PlaceholderValues, type Template } from '../identity/template.ts';
import type { DhcpKeys } from './keys.ts';
import type { SentOptions } from './send.ts';

const HOST_NAME = DHCP4_OPTIONS['host-name'].code;
const FQDN = DHCP4_OPTIONS.fqdn.code;

export type NamesSent = { readonly options: SentOptions; readonly notes: readonly string[] };

/**
 * The options 12 and 81 of the templates, unless `stated` has them. Where 81 goes along 12 does not: "clients that
 * send the Client FQDN option in their messages MUST NOT also send the Host Name option" (RFC 4702 3.1). `notes` says
 * which template was left out because the runtime does not name what it wants.
 */
export function namesSent(
  { hostname, fqdn }: DhcpKeys,
  values: PlaceholderValues,
  stated: SentOptions,
): NamesSent {
  const options = new Map<number, string>();
  const notes: string[] = [];
  const put = (
    code: number,
    key: string,
    template: Template,
    encode: (text: string) => Uint8Array | undefined,
  ): void => {
    if (stated.has(code)) return;
    const filled = fillTemplate(template, values);
    if (filled.kind === 'without') {
      notes.push(`${key}: the runtime does not say what {${filled.placeholder}} is; no name is sent`);
      return;
    }
    const bytes = encode(filled.text);
    if (bytes !== undefined) options.set(code, toHex(bytes));
  };
  if (fqdn !== undefined) put(FQDN, 'fqdn', fqdn.name, (text) => fqdnOption(text, fqdn.update));
  const hasFqdn = options.has(FQDN) || stated.has(FQDN);
  if (hostname !== undefined && !hasFqdn) put(HOST_NAME, 'hostname', hostname, hostNameOption);
  return { options, notes };
}
