import assert from 'node:assert/strict';
import { IPV4_ANY, IPV4_BROADCAST, type Ipv4 } from '../../../src/base/ipv4.ts';
import { BROADCAST_MAC, type Mac } from '../../../src/base/mac.ts';
import { messageType, messageTypeName } from '../../../src/wire/dhcp4/message-type.ts';
import { DHCP4_OPTIONS } from '../../../src/wire/dhcp4/options.ts';
import { PORT_UNREACHABLE, type Captured } from './capture.ts';

type DhcpFrame = Extract<Captured, { readonly kind: 'dhcp' }>;

/** Who speaks with whom. */
export type Exchange = {
  readonly client: Mac;
  readonly address: Ipv4;
  readonly server: Ipv4;
  readonly serverMac: Mac;
};

/** The ways of RFC 2131 4.1 and table 5; 4.4.4 wants a DECLINE from 0 to all, 4.4.6 a RELEASE to the server. */
export const WAY = {
  discover: 'DHCPDISCOVER from 0.0.0.0 to all',
  request: 'DHCPREQUEST from 0.0.0.0 to all',
  renewing: 'DHCPREQUEST from the leased address to the server',
  rebinding: 'DHCPREQUEST from the leased address to all',
  decline: 'DHCPDECLINE from 0.0.0.0 to all',
  release: 'DHCPRELEASE from the leased address to the server',
} as const;
const WAYS: ReadonlySet<string> = new Set(Object.values(WAY));

function typeOf({ message }: DhcpFrame): string {
  const type = messageType.decode(
    message.options.get(DHCP4_OPTIONS['dhcp-message-type'].code) ?? new Uint8Array(),
  );
  return type.ok ? messageTypeName(type.value) : type.error;
}

function wayOf(frame: DhcpFrame, { client, address, server, serverMac }: Exchange): string {
  const { from, fromMac, to, toMac, message } = frame;
  const source = from === address ? 'the leased address' : from;
  const all = to === IPV4_BROADCAST && toMac === BROADCAST_MAC;
  const toServer = to === server && toMac === serverMac;
  const target = all ? 'all' : toServer ? 'the server' : `${to} at ${toMac}`;
  const sender = fromMac === client ? '' : `, by ${fromMac}`;
  // RFC 2131 4.4.1: ciaddr is the address of a client that has one and answers ARP for it.
  const named =
    message.ciaddr === (from === IPV4_ANY ? IPV4_ANY : address) ? '' : `, ciaddr ${message.ciaddr}`;
  return `${typeOf(frame)} from ${source} to ${target}${sender}${named}`;
}

/** What a client sent, each way once. Throws an AssertionError for a way that RFC 2131 does not have. */
export function waysOf(frames: readonly Captured[], exchange: Exchange): ReadonlySet<string> {
  const sent = frames.filter(
    (frame): frame is DhcpFrame =>
      frame.kind === 'dhcp' && frame.message.op === 'request' && frame.message.chaddr === exchange.client,
  );
  const ways = new Set(sent.map((frame) => wayOf(frame, exchange)));
  assert.deepEqual(
    [...ways].filter((way) => !WAYS.has(way)),
    [],
  );
  return ways;
}

/** Neither ICMP port unreachable from this machine, nor ARP in its name from another one. */
export function assertNothingElse(frames: readonly Captured[], client: Mac): void {
  const unreachable = frames.filter(
    (frame) =>
      frame.kind === 'icmp' &&
      frame.fromMac === client &&
      frame.type === PORT_UNREACHABLE.type &&
      frame.code === PORT_UNREACHABLE.code,
  );
  assert.deepEqual(unreachable, []);
  const foreign = frames.filter(
    (frame) => frame.kind === 'arp' && frame.senderMac === client && frame.fromMac !== client,
  );
  assert.deepEqual(foreign, []);
}
