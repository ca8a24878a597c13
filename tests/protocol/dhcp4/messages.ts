import { cidr, type Cidr } from '../../../src/base/cidr.ts';
import { IPV4_ANY, ipv4, type Ipv4 } from '../../../src/base/ipv4.ts';
import { mac } from '../../../src/base/mac.ts';
import { DHCP_MESSAGE_TYPE, type DhcpMessageTypeName } from '../../../src/wire/dhcp4/message-type.ts';
import type { Dhcp4Message } from '../../../src/wire/dhcp4/message.ts';
import { makeOptions, type OptionName, type OptionValues } from '../../../src/wire/dhcp4/options.ts';
import { DHCP4_OPTIONS } from '../../../src/wire/dhcp4/options.ts';
import type { Source } from '../../../src/protocol/dhcp4/source.ts';
import type { Dhcp4Config } from '../../../src/protocol/dhcp4/state.ts';
import { dhcp4Message } from '../../support/dhcp4-message.ts';

export const OUR_MAC = mac('02:00:5e:10:00:01');
export const SERVER = ipv4('192.168.1.1');
export const OTHER_SERVER = ipv4('192.168.1.2');
export const SERVER_MAC = mac('02:00:5e:00:00:01');
export const ROGUE_MAC = mac('02:00:5e:66:66:66');
/** Where the messages of SERVER come from. */
export const OF_SERVER: Source = { address: SERVER, mac: SERVER_MAC, holder: 'sender' };
export const ADDRESS = ipv4('192.168.1.50');
export const OTHER_ADDRESS = ipv4('192.168.1.51');
/** Another pod of the node has it. */
export const HELD_ADDRESS = ipv4('192.168.1.52');

export const CONFIG: Dhcp4Config = {
  chaddr: OUR_MAC,
  clientId: '00706f64',
  requestedAddress: undefined,
  parameterRequest: [1, 3, 6],
  send: { 12: '706f64' },
  rapidCommit: true,
  broadcast: 'auto',
  servers: [],
  relays: [],
  ipv6Only: false,
};

/** What a sane server answers with, unless a test says otherwise. */
export const SANE: OptionValues = {
  'dhcp-server-identifier': SERVER,
  'dhcp-lease-time': 3600,
  'subnet-mask': ipv4('255.255.255.0'),
  routers: [SERVER],
};

export type Reply = {
  readonly yiaddr?: Ipv4;
  readonly options?: OptionValues;
  /** Options that the sane ones have and this message lacks. */
  readonly without?: readonly OptionName[];
  /** Options as bytes, for malformed ones. */
  readonly raw?: Partial<Record<OptionName, readonly number[]>>;
  readonly fields?: Partial<Dhcp4Message>;
};

export type ReplyType = Extract<DhcpMessageTypeName, 'DHCPOFFER' | 'DHCPACK' | 'DHCPNAK'>;

export function reply(type: DhcpMessageTypeName, xid: number, how: Reply = {}): Dhcp4Message {
  const values = { 'dhcp-message-type': DHCP_MESSAGE_TYPE[type], ...SANE, ...how.options };
  const options = new Map(makeOptions(values));
  for (const name of how.without ?? []) options.delete(DHCP4_OPTIONS[name].code);
  for (const [name, bytes] of Object.entries(how.raw ?? {})) {
    options.set(DHCP4_OPTIONS[name as OptionName].code, Uint8Array.from(bytes));
  }
  return dhcp4Message({
    op: 'reply',
    xid,
    yiaddr: type === 'DHCPNAK' ? IPV4_ANY : (how.yiaddr ?? ADDRESS),
    chaddr: OUR_MAC,
    options,
    ...how.fields,
  });
}

/** A network of IPv4, for expectations. */
export function net(text: string): Cidr<Ipv4> {
  return cidr(text) as Cidr<Ipv4>;
}
