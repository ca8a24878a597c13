import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4, maskFromPrefix } from '../../../src/base/ipv4.ts';
import { instant } from '../../../src/base/time.ts';
import { leaseFromAck } from '../../../src/protocol/dhcp4/lease.ts';
import { endOfNetwork } from '../../../src/protocol/dhcp4/own-network.ts';
import { ADDRESS, net, reply, type Reply, SERVER } from './messages.ts';
import { Transcript } from './transcript.ts';

const PROTECTED = [net('10.96.0.0/12'), net('192.168.1.7/32')];

/** What becomes of an ACK for an address with a mask: the lease's network, or why it is none. */
function verdict(own: string, protect: readonly string[] = []): string {
  const { address, prefix } = net(own);
  const message = reply('DHCPACK', 1, {
    yiaddr: address,
    options: { 'subnet-mask': maskFromPrefix(prefix) },
  });
  const lease = leaseFromAck(message, SERVER, instant(0), protect.map(net));
  return lease.ok ? 'taken' : lease.error;
}

describe('the ends of a network', () => {
  const rows: readonly (readonly [string, string, 'network' | 'broadcast' | undefined])[] = [
    ['192.168.1.50/24', '192.168.1.0', 'network'],
    ['192.168.1.50/24', '192.168.1.255', 'broadcast'],
    ['192.168.1.50/24', '192.168.1.1', undefined],
    ['192.168.1.50/24', '192.168.2.255', undefined],
    ['192.168.2.50/23', '192.168.2.255', undefined],
    ['192.168.2.50/23', '192.168.3.255', 'broadcast'],
    ['10.1.2.3/8', '10.255.255.255', 'broadcast'],
    ['223.1.2.3/8', '223.0.0.0', 'network'],
    ['10.0.0.5/30', '10.0.0.4', 'network'],
    ['10.0.0.5/30', '10.0.0.7', 'broadcast'],
    // RFC 3021: both addresses of a /31 are hosts.
    ['10.0.0.5/31', '10.0.0.4', undefined],
    ['10.0.0.4/31', '10.0.0.5', undefined],
    ['10.0.0.4/32', '10.0.0.4', undefined],
  ];
  for (const [own, address, end] of rows) {
    test(`${address} in ${own}: ${end ?? 'none'}`, () => {
      assert.equal(endOfNetwork(net(own), ipv4(address)), end);
    });
  }
});

describe('the address and its mask', () => {
  const rows: readonly (readonly [string, string])[] = [
    ['10.1.2.3/8', 'taken'],
    ['10.1.2.3/7', 'malformed-subnet-mask'],
    ['10.1.2.3/1', 'malformed-subnet-mask'],
    ['169.254.0.1/16', 'bad-address'],
    ['169.254.255.254/24', 'bad-address'],
    ['169.253.255.254/24', 'taken'],
    ['169.255.0.1/24', 'taken'],
    ['10.0.0.0/8', 'bad-address'],
    ['10.255.255.255/8', 'bad-address'],
    ['192.168.1.4/30', 'bad-address'],
    ['192.168.1.7/30', 'bad-address'],
    ['192.168.1.0/23', 'taken'],
    ['192.168.0.255/23', 'taken'],
    ['192.168.1.4/31', 'taken'],
    ['192.168.1.255/32', 'taken'],
    [`${SERVER}/24`, 'bad-address'],
    [`${SERVER}/32`, 'bad-address'],
  ];
  for (const [own, want] of rows) {
    test(`${own}: ${want}`, () => assert.equal(verdict(own), want));
  }

  test('without a mask the natural one counts', () => {
    const message = reply('DHCPACK', 1, { yiaddr: ipv4('192.168.9.255'), without: ['subnet-mask'] });
    assert.deepEqual(leaseFromAck(message, SERVER, instant(0), []), { ok: false, error: 'bad-address' });
  });
});

describe('a protected network', () => {
  const rows: readonly (readonly [string, string, string])[] = [
    ['10.96.0.7/24', '10.96.0.0/12', 'protected-network'],
    ['10.96.0.7/12', '10.96.0.0/12', 'protected-network'],
    ['10.111.255.254/32', '10.96.0.0/12', 'protected-network'],
    ['10.112.0.7/24', '10.96.0.0/12', 'taken'],
    ['10.95.0.7/24', '10.96.0.0/12', 'taken'],
    // The LAN contains it: its own route is the more specific one. Its addresses are not for pods all the same.
    ['10.1.0.7/8', '10.96.0.0/12', 'taken'],
    ['10.96.0.7/8', '10.96.0.0/12', 'protected-network'],
    ['192.168.1.50/24', '192.168.1.7/32', 'taken'],
    ['192.168.1.7/24', '192.168.1.7/32', 'protected-network'],
    ['192.168.1.50/24', '0.0.0.0/0', 'protected-network'],
  ];
  for (const [own, guarded, want] of rows) {
    test(`${own} beside ${guarded}: ${want}`, () => {
      assert.equal(verdict(own, ['172.16.0.0/12', guarded]), want);
    });
  }
});

/** A lease of an hour, with T1 and T2 as they were given. */
function held(): Transcript {
  const t = new Transcript({}, () => 0);
  t.protect = PROTECTED;
  return t.bound();
}

describe('a lease in use, and an ACK that would spoil it', () => {
  const release = `> RELEASE to ${SERVER}`;
  /** The last one: what is said of an address that is not in use. */
  const spoilt: readonly (readonly [string, Reply, string, readonly string[]])[] = [
    ['into a protected network', { yiaddr: ipv4('10.96.0.7') }, 'protected-network', [release]],
    ['the address of the server', { yiaddr: SERVER }, 'bad-address', ['> DECLINE']],
    ['the broadcast address', { yiaddr: ipv4('192.168.1.255') }, 'bad-address', ['> DECLINE']],
    ['link-local', { yiaddr: ipv4('169.254.7.7') }, 'bad-address', ['> DECLINE']],
    ['half of the world', { options: { 'subnet-mask': maskFromPrefix(1) } }, 'malformed-subnet-mask', []],
  ];
  for (const [name, how, reason, told] of spoilt) {
    const said = [
      `ignore ${reason}`,
      ...(how.yiaddr === undefined ? [] : [`not accepted ${how.yiaddr}`]),
      ...told,
    ];

    test(`${name}: not taken in RENEWING and REBINDING, and the lease runs on to its end`, () => {
      const t = held().wake(1800, `> REQUEST to ${SERVER}`);
      t.hears(1801, 'DHCPACK', how, ...said).is('renewing');
      t.hears(1801, 'DHCPACK', how, `ignore ${reason}`).is('renewing');
      t.now = Transcript.at(3150);
      t.does({ type: 'wake' }, '> REQUEST')
        .hears(3151, 'DHCPACK', how, ...said)
        .is('rebinding');
      t.wake(3375, '> REQUEST').wake(3487.5, '> REQUEST').wake(3547.5, '> REQUEST');
      t.wake(3600, `withdraw ${ADDRESS}`, '> DISCOVER').stillWorks();
    });

    test(`${name}: not taken in VERIFYING, and a good ACK is taken after it`, () => {
      held()
        .linkUp(100, true, '> REQUEST')
        .hears(100.1, 'DHCPACK', how, ...said)
        .is('verifying')
        .hears(100.15, 'DHCPACK', {}, `extend ${ADDRESS}`);
    });
  }
});
