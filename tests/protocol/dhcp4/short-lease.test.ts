import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { leaseOf } from '../../../src/protocol/dhcp4/state.ts';
import type { OptionValues } from '../../../src/wire/dhcp4/options.ts';
import { ADDRESS, SERVER } from './messages.ts';
import { Transcript } from './transcript.ts';

const exact = (): number => 0;
const lasting = (secs: number) => ({ options: { 'dhcp-lease-time': secs } });

describe('a lease of one second', () => {
  test('silence: two tries, and it ends at its end', () => {
    new Transcript({}, exact)
      .bound(lasting(1))
      .wake(0.5, `> REQUEST to ${SERVER}`)
      .wake(0.875, '> REQUEST')
      .wake(1, `withdraw ${ADDRESS}`, '> DISCOVER')
      .stillWorks();
  });

  test('with answers it is renewed twice a second and no faster', () => {
    const t = new Transcript({}, exact).bound(lasting(1));
    for (let at = 0.5; at < 5; at += 0.5) {
      t.wake(at, `> REQUEST to ${SERVER}`).hears(at, 'DHCPACK', lasting(1), `extend ${ADDRESS}`);
    }
  });

  test('an ACK that comes after its end grants nothing', () => {
    const t = new Transcript()
      .start('> DISCOVER')
      .hears(0, 'DHCPOFFER', lasting(1), '> REQUEST')
      .wake(0.25, '> REQUEST')
      .wake(0.75, '> REQUEST')
      .hears(1, 'DHCPACK', lasting(1), 'ignore lease-over')
      .is('requesting');
    assert.equal(leaseOf(t.state), undefined);
    t.stillWorks();
  });

  test('neither does one for a lease in use, which ends when it ends', () => {
    new Transcript({}, exact)
      .bound()
      .wake(1800, `> REQUEST to ${SERVER}`)
      .hears(1802, 'DHCPACK', lasting(2), 'ignore lease-over')
      .is('renewing')
      .wake(2475, `> REQUEST to ${SERVER}`);
  });
});

describe('T1 and T2 that make no sense: T1 < T2 < end all the same', () => {
  const rows: readonly (readonly [string, OptionValues, number, number])[] = [
    ['T1 after T2', { 'dhcp-renewal-time': 3000, 'dhcp-rebinding-time': 2000 }, 1800, 2000],
    ['T1 is 0', { 'dhcp-renewal-time': 0 }, 1800, 3150],
    ['T1 and T2 are 0', { 'dhcp-renewal-time': 0, 'dhcp-rebinding-time': 0 }, 1800, 3150],
    ['T2 is the end', { 'dhcp-rebinding-time': 3600 }, 1800, 3150],
    ['T2 after the end', { 'dhcp-renewal-time': 1000, 'dhcp-rebinding-time': 7200 }, 1000, 3150],
    ['T1 after the end', { 'dhcp-renewal-time': 7200, 'dhcp-rebinding-time': 2000 }, 1800, 2000],
    [
      'infinite ones of a finite lease',
      { 'dhcp-renewal-time': 0xffffffff, 'dhcp-rebinding-time': 0xffffffff },
      1800,
      3150,
    ],
  ];
  for (const [name, options, t1, t2] of rows) {
    test(name, () => {
      const { state } = new Transcript({}, exact).bound({ options });
      assert.deepEqual(leaseOf(state)?.times, {
        renewAt: Transcript.at(t1),
        rebindAt: Transcript.at(t2),
        expiresAt: Transcript.at(3600),
      });
    });
  }
});
