import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { heldBy, leaseOf } from '../../../src/protocol/dhcp4/state.ts';
import { readOption } from '../../../src/wire/dhcp4/options.ts';
import { ADDRESS, OTHER_ADDRESS, OTHER_SERVER, SERVER } from './messages.ts';
import { Transcript } from './transcript.ts';

const exact = (): number => 0;
/** A lease of an hour since 0 s, and the link comes back after 100 s. */
const verifying = (): Transcript =>
  new Transcript({}, exact).bound().linkUp(100, true, '> REQUEST').is('verifying');

describe('the link of a lease in use comes back (RFC 2131 3.7)', () => {
  test('the lease is asked about by broadcast, from the address, which stays in use', () => {
    const t = verifying();
    assert.deepEqual(
      t.last.map((effect) => (effect.type === 'send' ? effect.via : effect)),
      [{ kind: 'broadcast', from: ADDRESS }],
    );
    assert.equal(t.sent.ciaddr, ADDRESS);
    assert.equal(readOption(t.sent.options, 'dhcp-requested-address').kind, 'absent');
    assert.equal(readOption(t.sent.options, 'dhcp-server-identifier').kind, 'absent');
    assert.equal(leaseOf(t.state)?.address.address, ADDRESS);
    assert.equal(heldBy(t.state)?.address.address, ADDRESS);
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
      .start('> REQUEST')
      .hears(0, 'DHCPACK', {}, `install ${ADDRESS}`)
      .linkUp(100, true, '> REQUEST')
      .hears(100.1, 'DHCPACK', { yiaddr: OTHER_ADDRESS }, 'ignore other-address')
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

  test('no answer to three tries: nobody said no, and T1 is where it was', () => {
    const t = new Transcript().bound().linkUp(100, true, '> REQUEST');
    const { xid } = t;
    t.wake(100.25, '> REQUEST').wake(100.75, '> REQUEST');
    assert.equal(t.xid, xid, 'a slow answer to the first try fits the last one');
    t.wake(101.75).is('bound');
    t.wake(1743.75, `> REQUEST to ${SERVER}`).is('renewing');
  });

  test('T1 comes meanwhile: it is renewed', () => {
    new Transcript({}, exact)
      .bound()
      .linkUp(1799.9, true, '> REQUEST')
      .wake(1800, `> REQUEST to ${SERVER}`)
      .is('renewing');
  });

  test('T2 and the end come meanwhile (suspend)', () => {
    const t = verifying();
    t.now = Transcript.at(3200);
    t.does({ type: 'wake' }, '> REQUEST').is('rebinding');
    const u = verifying();
    u.now = Transcript.at(3600);
    u.does({ type: 'wake' }, `withdraw ${ADDRESS}`, '> DISCOVER').is('selecting').stillWorks();
  });

  test('an infinite lease is asked about as well', () => {
    new Transcript()
      .bound({ options: { 'dhcp-lease-time': 0xffffffff } })
      .linkUp(100, true, '> REQUEST')
      .wake(100.25, '> REQUEST')
      .wake(100.75, '> REQUEST')
      .wake(101.75)
      .is('bound')
      .silentForEver();
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

  test('the link comes back once more: three tries again, with an id of their own', () => {
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
