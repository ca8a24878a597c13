import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { IPV4_ANY } from '../../../src/base/ipv4.ts';
import { heldBy, leaseOf } from '../../../src/protocol/dhcp4/state.ts';
import { readOption } from '../../../src/wire/dhcp4/options.ts';
import { ADDRESS, OTHER_ADDRESS, OTHER_SERVER, SERVER } from './messages.ts';
import { Transcript } from './transcript.ts';

const exact = (): number => 0;
/** Seconds after the first try, without jitter. */
const TRIES = [0.25, 0.75, 1.75, 3.75, 7.75, 15.75, 31.75];
/** A lease of an hour since 0 s, and the link comes back after 100 s. */
const verifying = (): Transcript =>
  new Transcript({}, exact).bound().linkUp(100, true, '> REQUEST').is('verifying');

describe('the link of a lease in use comes back (RFC 2131 3.7)', () => {
  test('the lease is asked about in the form of INIT-REBOOT (RFC 2131 4.3.2), and the address stays in use', () => {
    const t = verifying();
    assert.deepEqual(
      t.last.map((effect) => (effect.type === 'send' ? effect.via : effect)),
      [{ kind: 'broadcast', from: IPV4_ANY }],
    );
    assert.equal(t.sent.ciaddr, IPV4_ANY);
    assert.deepEqual(readOption(t.sent.options, 'dhcp-requested-address'), { kind: 'value', value: ADDRESS });
    assert.equal(readOption(t.sent.options, 'dhcp-server-identifier').kind, 'absent');
    assert.equal(leaseOf(t.state)?.address.address, ADDRESS);
    assert.equal(heldBy(t.state)?.address.address, ADDRESS);
  });

  test('every second try comes from the address, for servers that the first does not reach', () => {
    const t = verifying();
    const from = TRIES.map(() => {
      t.now = t.due;
      t.does({ type: 'wake' }, '> REQUEST');
      return t.last.flatMap((effect) => (effect.type === 'send' ? [effect.via.from] : []));
    });
    assert.deepEqual(from.slice(0, 3), [[ADDRESS], [IPV4_ANY], [ADDRESS]]);
  });

  test('an ACK extends, from when it was asked', () => {
    const t = verifying().hears(100.1, 'DHCPACK', {}, `extend ${ADDRESS}`).is('bound');
    assert.equal(leaseOf(t.state)?.times?.expiresAt, Transcript.at(3700));
  });

  test('an ACK of any server, for any address', () => {
    const how = { yiaddr: OTHER_ADDRESS, options: { 'dhcp-server-identifier': OTHER_SERVER } };
    verifying().hears(100.1, 'DHCPACK', how, `install ${OTHER_ADDRESS} for ${ADDRESS}`).is('bound');
  });

  test('not for another one than the configuration insists on', () => {
    new Transcript({ requestedAddress: ADDRESS }, exact)
      .bound()
      .linkUp(100, true, '> REQUEST')
      .hears(
        100.1,
        'DHCPACK',
        { yiaddr: OTHER_ADDRESS },
        'ignore other-address',
        `not accepted ${OTHER_ADDRESS}`,
        `> RELEASE to ${SERVER}`,
      )
      .is('verifying');
  });

  test('a NAK of any server: the address is gone at once', () => {
    verifying()
      .hears(
        100.1,
        'DHCPNAK',
        { options: { 'dhcp-server-identifier': OTHER_SERVER } },
        `withdraw ${ADDRESS}`,
        'refused',
        '> DISCOVER',
      )
      .stillWorks();
  });

  test('no answer for a minute: nobody said no, and T1 is where it was', () => {
    const t = new Transcript().bound().linkUp(100, true, '> REQUEST');
    const { xid } = t;
    for (const after of TRIES) t.wake(100 + after, '> REQUEST');
    assert.equal(t.xid, xid, 'a slow answer to the first try fits the last one');
    assert.equal(t.sent.secs, 31);
    t.wake(163.75).is('bound');
    t.wake(1743.75, `> REQUEST to ${SERVER}`).is('renewing');
  });

  test('T1 comes meanwhile: the network is asked about first, then the lease is renewed', () => {
    const t = new Transcript().bound().linkUp(1743, true, '> REQUEST').is('verifying');
    for (const after of TRIES) t.wake(1743 + after, '> REQUEST').is('verifying');
    t.wake(1743 + 63.75, `> REQUEST to ${SERVER}`).is('renewing');
  });

  for (const [state, at, bySelf] of [
    ['renewing', 1800, `> REQUEST to ${SERVER}`],
    ['rebinding', 3150, '> REQUEST'],
  ] as const) {
    test(`${state}: the link was away beyond that, and what it leads to now is asked about all the same`, () => {
      const t = new Transcript({}, exact).bound();
      t.now = Transcript.at(at);
      t.does({ type: 'wake' }, bySelf)
        .is(state)
        .linkUp(at + 20, true, '> REQUEST')
        .is('verifying');
      assert.equal(t.sent.ciaddr, IPV4_ANY);
      assert.equal(leaseOf(t.state)?.address.address, ADDRESS);
      t.hears(at + 20, 'DHCPNAK', {}, `withdraw ${ADDRESS}`, 'refused', '> DISCOVER').stillWorks();
    });
  }

  test('after T2 there is less time: three tries, then any server may extend the lease', () => {
    const t = new Transcript().bound();
    t.now = Transcript.at(3160);
    t.does({ type: 'link-up', verify: true }, '> REQUEST').wake(3160.25, '> REQUEST');
    t.wake(3160.75, '> REQUEST').is('verifying').wake(3161.75, '> REQUEST').is('rebinding');
    assert.equal(t.sent.ciaddr, ADDRESS);
  });

  test('the end comes meanwhile: the address goes then', () => {
    const t = verifying();
    t.now = Transcript.at(3600);
    t.does({ type: 'wake' }, `withdraw ${ADDRESS}`, '> DISCOVER').is('selecting').stillWorks();
    const u = new Transcript().bound();
    u.now = Transcript.at(3599);
    u.does({ type: 'link-up', verify: true }, '> REQUEST').wake(3599.25, '> REQUEST');
    u.wake(3599.75, '> REQUEST').wake(3600, `withdraw ${ADDRESS}`, '> DISCOVER');
  });

  test('an infinite lease is asked about as well', () => {
    const t = new Transcript()
      .bound({ options: { 'dhcp-lease-time': 0xffffffff } })
      .linkUp(100, true, '> REQUEST');
    for (const after of TRIES) t.wake(100 + after, '> REQUEST');
    t.wake(163.75).is('bound').silentForEver();
  });

  test('an OFFER means nothing; a conflict and a release are what they always are', () => {
    verifying().hears(100.1, 'DHCPOFFER', {}, 'ignore unexpected-type').is('verifying');
    verifying().does({ type: 'conflict' }, `withdraw ${ADDRESS}`, '> DECLINE').is('waiting');
    verifying().does({ type: 'release' }, `> RELEASE to ${SERVER}`, `withdraw ${ADDRESS}`).is('stopped');
  });

  test('unasked: no packet', () => {
    new Transcript({}, exact).bound().linkUp(100, false).is('bound');
  });

  test('a link that flaps: no faster than a lease is confirmed, and a try is near anyway', () => {
    const t = new Transcript().bound().linkUp(0.5, true).is('bound');
    t.linkUp(100, true, '> REQUEST').linkUp(100.1, true).hears(100.2, 'DHCPACK', {}, `extend ${ADDRESS}`);
    t.linkUp(100.9, true).linkUp(101, true, '> REQUEST');
  });

  test('the link comes back once more: all tries again, with an id of their own', () => {
    let draws = 0;
    const t = new Transcript({}, () => (draws++ % 100) / 1000).bound();
    t.now = Transcript.at(100);
    t.does({ type: 'link-up', verify: true }, '> REQUEST');
    const { xid } = t;
    for (const _ of [2, 3]) {
      t.now = t.due;
      t.does({ type: 'wake' }, '> REQUEST');
    }
    t.does({ type: 'link-up', verify: true }, '> REQUEST').is('verifying');
    assert.ok(t.state.kind === 'verifying');
    assert.notEqual(t.xid, xid);
    assert.equal(t.state.tries, 1);
  });
});
