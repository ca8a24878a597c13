import { allOptions, DHCP4_OPTIONS, optionByName, type OptionRow } from '../../wire/dhcp4/options.ts';
import { CniError } from '../spec/errors.ts';

export const CLIENT_IDENTIFIER = DHCP4_OPTIONS['dhcp-client-identifier'].code;

/** Those that no configuration gives a value to. */
export const RESERVED_OPTIONS: ReadonlySet<number> = new Set(
  allOptions()
    .filter(({ reserved }) => reserved === true)
    .map(({ code }) => code),
);

const BY_EXCHANGE = 'is set by the exchange itself: remove the entry';

/**
 * Why the reserved options are not sent from configuration, and what to do, where more can be said than that the
 * exchange sets them.
 */
const INSTEAD: ReadonlyMap<number, string> = new Map([
  [
    DHCP4_OPTIONS['dhcp-requested-address'].code,
    `${BY_EXCHANGE}, and ask for an address by the runtime's "ips" or CNI_ARGS IP`,
  ],
  [
    DHCP4_OPTIONS['dhcp-parameter-request-list'].code,
    `${BY_EXCHANGE}, and name the options to ask for in "request"`,
  ],
  [
    DHCP4_OPTIONS['dhcp-message'].code,
    'does not belong in DISCOVER and REQUEST (RFC 2131 table 5): remove the entry',
  ],
  [DHCP4_OPTIONS['rapid-commit'].code, `${BY_EXCHANGE}; "rapidCommit" says whether it is offered`],
  [
    DHCP4_OPTIONS['relay-agent-information'].code,
    'is for relay agents, not for clients (RFC 3046): remove the entry',
  ],
  [
    DHCP4_OPTIONS['v6-only-preferred'].code,
    'is asked for and never sent by a client (RFC 8925 3.1): remove the entry; "ipv6Only": true asks for it',
  ],
  [
    DHCP4_OPTIONS['forcerenew-nonce-capable'].code,
    `${BY_EXCHANGE}; "forceRenew" says whether a FORCERENEW is heard`,
  ],
]);

/** A row by name or code; throws CniError 7, which names the key and the nearest name. */
export function optionRow(name: string, at: string): OptionRow {
  const row = optionByName(name);
  if (!row.ok) throw invalid(`${at}: ${row.error}`);
  return row.value;
}

/** A row that configuration may give a value to. */
export function sendableRow(name: string, at: string): OptionRow {
  const row = optionRow(name, at);
  if (!RESERVED_OPTIONS.has(row.code)) return row;
  throw invalid(`${at}: ${row.name} ${INSTEAD.get(row.code) ?? BY_EXCHANGE}`);
}

export function invalid(text: string): CniError {
  return new CniError('invalid-config', text);
}
