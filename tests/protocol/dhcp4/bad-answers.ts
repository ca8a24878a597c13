import { IPV4_ANY, ipv4 } from '../../../src/base/ipv4.ts';
import { mac } from '../../../src/base/mac.ts';
import type { IgnoreReason } from '../../../src/protocol/dhcp4/reasons.ts';
import { ADDRESS, type Reply, SANE, SERVER } from './messages.ts';

/** What becomes of a lease that such an ACK grants: it grants `nothing`, or the server is told. */
export type Fate = 'nothing' | 'declined' | 'released';

export type Bad = {
  readonly name: string;
  readonly how: Reply;
  readonly reason: IgnoreReason;
  /** Undefined: it is not for this client, or of nobody who may speak. */
  readonly fate?: Fate;
};

/** What makes an OFFER and an ACK unacceptable alike. */
export const BAD: readonly Bad[] = [
  { name: 'a BOOTREQUEST', how: { fields: { op: 'request' } }, reason: 'not-a-reply' },
  { name: 'another chaddr', how: { fields: { chaddr: mac('02:00:5e:10:00:02') } }, reason: 'wrong-mac' },
  { name: 'another xid', how: { fields: { xid: 7 } }, reason: 'wrong-xid' },
  {
    name: 'another client identifier',
    how: { options: { ...SANE, 'dhcp-client-identifier': Uint8Array.of(0, 1, 2) } },
    reason: 'wrong-client-id',
  },
  { name: 'no message type', how: { without: ['dhcp-message-type'] }, reason: 'no-message-type' },
  {
    name: 'a type of two bytes',
    how: { raw: { 'dhcp-message-type': [2, 2] } },
    reason: 'malformed-message-type',
  },
  { name: 'an unknown type', how: { raw: { 'dhcp-message-type': [99] } }, reason: 'malformed-message-type' },
  { name: 'no server identifier', how: { without: ['dhcp-server-identifier'] }, reason: 'no-server-id' },
  {
    name: 'a server identifier of three bytes',
    how: { raw: { 'dhcp-server-identifier': [1, 2, 3] } },
    reason: 'malformed-server-id',
  },
  {
    name: 'a server identifier that no host has',
    how: { options: { 'dhcp-server-identifier': ipv4('224.0.0.1') } },
    reason: 'malformed-server-id',
  },
  { name: 'no address', how: { yiaddr: IPV4_ANY }, reason: 'bad-address', fate: 'nothing' },
  { name: 'a multicast address', how: { yiaddr: ipv4('239.1.2.3') }, reason: 'bad-address', fate: 'nothing' },
  { name: 'loopback', how: { yiaddr: ipv4('127.0.0.1') }, reason: 'bad-address', fate: 'nothing' },
  {
    name: 'a link-local address',
    how: { yiaddr: ipv4('169.254.7.7') },
    reason: 'bad-address',
    fate: 'declined',
  },
  {
    name: 'the network address',
    how: { yiaddr: ipv4('192.168.1.0') },
    reason: 'bad-address',
    fate: 'declined',
  },
  {
    name: 'the broadcast address',
    how: { yiaddr: ipv4('192.168.1.255') },
    reason: 'bad-address',
    fate: 'declined',
  },
  { name: 'the address of the server', how: { yiaddr: SERVER }, reason: 'bad-address', fate: 'declined' },
  {
    name: 'an address of a protected network',
    how: { yiaddr: ipv4('10.96.0.7') },
    reason: 'protected-network',
    fate: 'released',
  },
  {
    name: 'a lease time of three bytes',
    how: { raw: { 'dhcp-lease-time': [0, 0, 9] } },
    reason: 'malformed-lease-time',
    fate: 'released',
  },
  {
    name: 'a lease of 0 s',
    how: { options: { 'dhcp-lease-time': 0 } },
    reason: 'zero-lease-time',
    fate: 'released',
  },
  {
    name: 'a mask with a hole',
    how: { raw: { 'subnet-mask': [255, 0, 255, 0] } },
    reason: 'malformed-subnet-mask',
    fate: 'released',
  },
  {
    name: 'a mask of 7 bits',
    how: { raw: { 'subnet-mask': [254, 0, 0, 0] } },
    reason: 'malformed-subnet-mask',
    fate: 'released',
  },
  {
    name: 'a mask of 0',
    how: { raw: { 'subnet-mask': [0, 0, 0, 0] } },
    reason: 'malformed-subnet-mask',
    fate: 'released',
  },
  {
    name: 'a mask of one byte',
    how: { raw: { 'subnet-mask': [255] } },
    reason: 'malformed-subnet-mask',
    fate: 'released',
  },
];

const TOLD: Readonly<Record<Fate, readonly string[]>> = {
  nothing: [],
  declined: ['> DECLINE'],
  released: [`> RELEASE to ${SERVER}`],
};

/** What a client does with such an ACK of its server, in words: what follows is not among it. */
export function refusal({ how, reason, fate }: Bad): readonly string[] {
  const ignored = `ignore ${reason}`;
  return fate === undefined ? [ignored] : [ignored, `not accepted ${how.yiaddr ?? ADDRESS}`, ...TOLD[fate]];
}
