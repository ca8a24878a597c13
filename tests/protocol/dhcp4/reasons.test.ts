import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { IPV4_ANY, ipv4 } from '../../../src/base/ipv4.ts';
import { mac } from '../../../src/base/mac.ts';
import { IGNORE_REASONS, type IgnoreReason } from '../../../src/protocol/dhcp4/reasons.ts';
import type { DhcpMessageTypeName } from '../../../src/wire/dhcp4/message-type.ts';
import { net, reply, type Reply, SANE, SERVER } from './messages.ts';
import { Transcript } from './transcript.ts';

type Bad = { readonly name: string; readonly how: Reply; readonly reason: IgnoreReason };

/** What makes an OFFER and an ACK unacceptable alike. */
const BAD: readonly Bad[] = [
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
  { name: 'no address', how: { yiaddr: IPV4_ANY }, reason: 'bad-address' },
  { name: 'a multicast address', how: { yiaddr: ipv4('239.1.2.3') }, reason: 'bad-address' },
  { name: 'loopback', how: { yiaddr: ipv4('127.0.0.1') }, reason: 'bad-address' },
  { name: 'a link-local address', how: { yiaddr: ipv4('169.254.7.7') }, reason: 'bad-address' },
  { name: 'the network address', how: { yiaddr: ipv4('192.168.1.0') }, reason: 'bad-address' },
  { name: 'the broadcast address', how: { yiaddr: ipv4('192.168.1.255') }, reason: 'bad-address' },
  { name: 'the address of the server', how: { yiaddr: SERVER }, reason: 'bad-address' },
  {
    name: 'an address of a protected network',
    how: { yiaddr: ipv4('10.96.0.7') },
    reason: 'protected-network',
  },
  {
    name: 'a lease time of three bytes',
    how: { raw: { 'dhcp-lease-time': [0, 0, 9] } },
    reason: 'malformed-lease-time',
  },
  { name: 'a lease of 0 s', how: { options: { 'dhcp-lease-time': 0 } }, reason: 'zero-lease-time' },
  {
    name: 'a mask with a hole',
    how: { raw: { 'subnet-mask': [255, 0, 255, 0] } },
    reason: 'malformed-subnet-mask',
  },
  {
    name: 'a mask of 7 bits',
    how: { raw: { 'subnet-mask': [254, 0, 0, 0] } },
    reason: 'malformed-subnet-mask',
  },
  { name: 'a mask of 0', how: { raw: { 'subnet-mask': [0, 0, 0, 0] } }, reason: 'malformed-subnet-mask' },
  { name: 'a mask of one byte', how: { raw: { 'subnet-mask': [255] } }, reason: 'malformed-subnet-mask' },
];

function hear(t: Transcript, type: DhcpMessageTypeName, how: Reply, expected: string): void {
  t.does({ type: 'message', message: reply(type, t.xid, how) }, expected);
}

describe('a message that is not taken', () => {
  for (const { name, how, reason } of BAD) {
    test(`${name}: ${reason}, in SELECTING and in REQUESTING`, () => {
      const t = new Transcript();
      t.protect = [net('10.96.0.0/12')];
      t.start('> DISCOVER');
      hear(t, 'DHCPOFFER', how, `ignore ${reason}`);
      t.is('selecting').hears(0, 'DHCPOFFER', {}, '> REQUEST');
      hear(t, 'DHCPACK', how, `ignore ${reason}`);
      t.is('requesting');
      assert.ok('acquisition' in t.state);
      assert.equal(t.state.acquisition.ignored[reason], 2);
      t.stillWorks();
    });
  }

  for (const type of ['DHCPDISCOVER', 'DHCPINFORM', 'DHCPFORCERENEW', 'DHCPLEASEACTIVE'] as const) {
    test(`${type} from a server is no answer`, () => {
      const t = new Transcript().start('> DISCOVER');
      hear(t, type, {}, 'ignore unexpected-type');
      t.stillWorks();
    });
  }

  test('bytes that are no message are named in the diagnosis', () => {
    const t = new Transcript().start('> DISCOVER');
    t.does({ type: 'garbled' }, 'ignore garbled');
    assert.ok('acquisition' in t.state);
    assert.equal(t.state.acquisition.ignored.garbled, 1);
    t.stillWorks();
  });

  test('each reason occurs in a transcript and has words of its own', () => {
    const elsewhere: readonly IgnoreReason[] = [
      'garbled',
      'unexpected-type',
      'rapid-ack-unmarked',
      'no-nonce',
      'offer-not-chosen',
      'other-server',
      'server-not-allowed',
      'source-not-allowed',
      'forged-source',
      'unconfirmed-source',
      'lease-over',
      'other-address',
      'held-on-this-node',
      'in-conflict',
    ];
    const seen = new Set<string>([...BAD.map(({ reason }) => reason), ...elsewhere]);
    assert.deepEqual([...seen].sort(), Object.keys(IGNORE_REASONS).sort());
    assert.equal(new Set(Object.values(IGNORE_REASONS)).size, seen.size);
  });

  test('an identifier comes back to a client that sent none: it is another one’s (RFC 6842)', () => {
    const t = new Transcript({ clientId: undefined }).start('> DISCOVER');
    const echo = { options: { 'dhcp-client-identifier': Uint8Array.of(0, 9) } };
    hear(t, 'DHCPOFFER', echo, 'ignore wrong-client-id');
    t.stillWorks();
  });

  test('optional options that are malformed cost nothing', () => {
    const raw = {
      routers: [1, 2, 3],
      'interface-mtu': [1],
      'domain-name': [255, 254],
      'dhcp-renewal-time': [1],
    };
    const t = new Transcript().bound({ raw });
    assert.ok(t.state.kind === 'bound');
    assert.deepEqual([...t.state.lease.malformed].sort(), Object.keys(raw).sort());
  });
});
