import { invariant } from '../../base/invariant.ts';
import { err, ok } from '../../base/result.ts';
import type { Codec } from './codec.ts';

/** The values of option 53 under the names of the RFCs. */
export const DHCP_MESSAGE_TYPE = {
  // RFC 2132
  DHCPDISCOVER: 1,
  DHCPOFFER: 2,
  DHCPREQUEST: 3,
  DHCPDECLINE: 4,
  DHCPACK: 5,
  DHCPNAK: 6,
  DHCPRELEASE: 7,
  DHCPINFORM: 8,
  // RFC 3203
  DHCPFORCERENEW: 9,
  // RFC 4388
  DHCPLEASEQUERY: 10,
  DHCPLEASEUNASSIGNED: 11,
  DHCPLEASEUNKNOWN: 12,
  DHCPLEASEACTIVE: 13,
  // RFC 6926
  DHCPBULKLEASEQUERY: 14,
  DHCPLEASEQUERYDONE: 15,
  // RFC 7724
  DHCPACTIVELEASEQUERY: 16,
  DHCPLEASEQUERYSTATUS: 17,
  DHCPTLS: 18,
} as const;

export type DhcpMessageTypeName = keyof typeof DHCP_MESSAGE_TYPE;
export type DhcpMessageType = (typeof DHCP_MESSAGE_TYPE)[DhcpMessageTypeName];

const NAMES: ReadonlyMap<number, DhcpMessageTypeName> = new Map(
  Object.entries(DHCP_MESSAGE_TYPE).map(([name, value]) => [value, name as DhcpMessageTypeName]),
);

function isMessageType(value: number | undefined): value is DhcpMessageType {
  return value !== undefined && NAMES.has(value);
}

export function messageTypeName(type: DhcpMessageType): DhcpMessageTypeName {
  const name = NAMES.get(type);
  invariant(name !== undefined, 'every message type has a name');
  return name;
}

/** One byte that is a known type; a type of the future is malformed, as nobody here could act on it. */
export const messageType: Codec<DhcpMessageType> = {
  kind: 'message type',
  size: 1,
  decode(bytes) {
    if (bytes.length !== 1) return err(`${bytes.length} bytes instead of 1`);
    const type = bytes[0];
    return isMessageType(type) ? ok(type) : err(`unknown message type ${type}`);
  },
  encode: (type) => Uint8Array.of(type),
  parse(text) {
    const name = text.toUpperCase();
    const found = Object.entries(DHCP_MESSAGE_TYPE).find(([known]) => known === name);
    return found === undefined ? err(`"${text}" is not a DHCP message type`) : ok(found[1]);
  },
  format: messageTypeName,
};
