import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { IPV4_ANY, type Ipv4 } from '../../../src/base/ipv4.ts';
import { ADDRESS, OTHER_ADDRESS, type Reply, SERVER } from './messages.ts';
import { Transcript } from './transcript.ts';

// The identifier of the configuration is 00 "pod", the hardware address 02:00:5e:10:00:01.
const OURS = [0x00, 0x70, 0x6f, 0x64];
const MAC = [0x02, 0x00, 0x5e, 0x10, 0x00, 0x01];

function echo(bytes: readonly number[]): Reply {
  return { raw: { 'dhcp-client-identifier': bytes } };
}

function ciaddrOf(ciaddr: Ipv4): Reply {
  return { fields: { yiaddr: IPV4_ANY, ciaddr } };
}

describe('an option 61 that comes back otherwise than it was sent (RFC 6842)', () => {
  const taken: readonly (readonly [string, readonly number[]])[] = [
    ['as it was sent', OURS],
    ['cut', OURS.slice(0, 3)],
    ['cut to its type', OURS.slice(0, 1)],
    ['empty', []],
    ['filled up with NULs', [...OURS, 0, 0, 0]],
    ['twice, which is joined', [...OURS, ...OURS]],
    ['the MAC address with its type', [1, ...MAC]],
    ['the MAC address', MAC],
    ['the MAC address, filled up to the size of chaddr', [...MAC, ...Array.from({ length: 10 }, () => 0)]],
  ];
  for (const [what, bytes] of taken) {
    test(`${what}: taken, in OFFER, ACK, renewal and NAK`, () => {
      new Transcript({}, () => 0)
        .start('> DISCOVER')
        .hears(0, 'DHCPOFFER', echo(bytes), '> REQUEST')
        .hears(0, 'DHCPACK', echo(bytes), `install ${ADDRESS}`)
        .wake(1800, `> REQUEST to ${SERVER}`)
        .hears(1801, 'DHCPACK', echo(bytes), `extend ${ADDRESS}`)
        .wake(3600, `> REQUEST to ${SERVER}`)
        .hears(3601, 'DHCPNAK', echo(bytes), `withdraw ${ADDRESS}`, 'refused', '> DISCOVER');
    });
  }

  const others: readonly (readonly [string, readonly number[]])[] = [
    ['another text', [0x00, 0x78]],
    ['ours and more', [...OURS, 0x32]],
    ['ours behind another type', [0x01, ...OURS.slice(1)]],
    ['another MAC address', [1, ...MAC.with(5, 2)]],
  ];
  for (const [what, bytes] of others) {
    test(`${what}: an answer to somebody else`, () => {
      const t = new Transcript()
        .start('> DISCOVER')
        .hears(0, 'DHCPOFFER', echo(bytes), 'ignore wrong-client-id');
      t.stillWorks();
    });
  }

  test('to a client that sent none', () => {
    for (const bytes of [[], MAC, [1, ...MAC]]) {
      new Transcript({ clientId: undefined }).bound(echo(bytes)).is('bound');
    }
  });
});

describe('an ACK of a renewal that grants ciaddr and leaves yiaddr empty', () => {
  const ours = ciaddrOf(ADDRESS);

  test('extends the lease in RENEWING, REBINDING and when the link came back', () => {
    new Transcript({}, () => 0)
      .bound()
      .wake(1800, `> REQUEST to ${SERVER}`)
      .is('renewing')
      .hears(1801, 'DHCPACK', ours, `extend ${ADDRESS}`)
      .is('bound');
    const t = new Transcript({}, () => 0).bound();
    for (const due of [1800, 2475, 2812.5, 2981.25, 3065.625, 3125.625])
      t.wake(due, `> REQUEST to ${SERVER}`);
    t.wake(3150, '> REQUEST').is('rebinding').hears(3151, 'DHCPACK', ours, `extend ${ADDRESS}`).is('bound');
    assert.ok(t.state.kind === 'bound');
    assert.deepEqual(t.state.lease.address, { address: ADDRESS, prefix: 24 });
    assert.equal(t.state.lease.times?.expiresAt, Transcript.at(3150 + 3600));
  });

  const not: readonly (readonly [string, Reply])[] = [
    ['another ciaddr', ciaddrOf(OTHER_ADDRESS)],
    ['no ciaddr', ciaddrOf(IPV4_ANY)],
    ['no lease time, as an answer to an INFORM', { ...ours, without: ['dhcp-lease-time'] }],
  ];
  for (const [what, how] of not) {
    test(`${what}: grants nothing`, () => {
      new Transcript({}, () => 0)
        .bound()
        .wake(1800, `> REQUEST to ${SERVER}`)
        .hears(1801, 'DHCPACK', how, 'ignore bad-address')
        .is('renewing');
    });
  }

  test('is nothing to a client that has no lease', () => {
    const t = new Transcript().start('> DISCOVER').hears(0, 'DHCPOFFER', ours, 'ignore bad-address');
    t.hears(0, 'DHCPOFFER', {}, '> REQUEST')
      .hears(0, 'DHCPACK', ours, 'ignore bad-address', 'not accepted 0.0.0.0', '> DISCOVER')
      .stillWorks();
  });
});
