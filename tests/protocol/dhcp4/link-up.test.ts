import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ADDRESS, SERVER } from './messages.ts';
import { Transcript } from './transcript.ts';

const exact = (): number => 0;
const QUICK = [0.25, 0.75, 1.75, 3.75];

describe('the link comes back while something waits for an answer', () => {
  test('SELECTING: DISCOVER at once and quickly again, with its id', () => {
    const t = new Transcript().start('> DISCOVER');
    const { xid } = t;
    for (const at of [...QUICK, 7.75, 15.75, 31.75, 63.75]) t.wake(at, '> DISCOVER');
    t.linkUp(70, false, '> DISCOVER').wake(70.25, '> DISCOVER').wake(70.75, '> DISCOVER');
    assert.equal(t.xid, xid, 'an OFFER that was under way still fits');
    t.stillWorks();
  });

  test('REQUESTING: the chosen offer is asked for again, with the id and the time of the first REQUEST', () => {
    const t = new Transcript().start('> DISCOVER').hears(0, 'DHCPOFFER', {}, '> REQUEST');
    const { xid } = t;
    for (const at of QUICK) t.wake(at, '> REQUEST');
    t.linkUp(5, true, '> REQUEST');
    for (const at of QUICK) t.wake(5 + at, '> REQUEST');
    assert.equal(t.xid, xid);
    t.hears(9, 'DHCPACK', {}, `install ${ADDRESS}`);
    assert.ok(t.state.kind === 'bound');
    assert.equal(t.state.lease.acquiredAt, Transcript.at(0));
  });

  test('REBOOTING: three tries again', () => {
    new Transcript()
      .held(ADDRESS)
      .start('> REQUEST')
      .wake(0.25, '> REQUEST')
      .wake(0.75, '> REQUEST')
      .linkUp(1, false, '> REQUEST')
      .wake(1.25, '> REQUEST')
      .wake(1.75, '> REQUEST')
      .wake(2.75, '> DISCOVER')
      .stillWorks();
  });

  test('RENEWING: the REQUEST at once, once more after 4 s, then as usual', () => {
    const t = new Transcript({}, exact)
      .bound()
      .wake(1800, `> REQUEST to ${SERVER}`)
      .linkUp(2000, false, `> REQUEST to ${SERVER}`)
      .is('renewing');
    t.wake(2004, `> REQUEST to ${SERVER}`).wake(2577, `> REQUEST to ${SERVER}`);
    t.hears(2578, 'DHCPACK', {}, `extend ${ADDRESS}`);
  });

  test('REBINDING: the same by broadcast', () => {
    const t = new Transcript({}, exact).bound();
    t.now = Transcript.at(3150);
    t.does({ type: 'wake' }, '> REQUEST')
      .linkUp(3200, false, '> REQUEST')
      .wake(3204, '> REQUEST')
      .is('rebinding');
  });

  test('T2 or the end has passed meanwhile: that counts', () => {
    const t = new Transcript({}, exact).bound().wake(1800, `> REQUEST to ${SERVER}`);
    t.now = Transcript.at(3160);
    t.does({ type: 'link-up', verify: false }, '> REQUEST').is('rebinding');
    t.now = Transcript.at(3700);
    t.does({ type: 'link-up', verify: true }, `withdraw ${ADDRESS}`, '> DISCOVER').is('selecting');
    const bound = new Transcript({}, exact).bound();
    bound.now = Transcript.at(3700);
    bound.does({ type: 'link-up', verify: false }, `withdraw ${ADDRESS}`, '> DISCOVER');
  });
});

describe('a link that flaps is no reason for a flood', () => {
  test('a try that has just been made is made again soon anyway', () => {
    new Transcript()
      .start('> DISCOVER')
      .linkUp(0.1, false)
      .wake(0.25, '> DISCOVER')
      .linkUp(0.3, false)
      .wake(0.75, '> DISCOVER')
      .linkUp(0.8, false, '> DISCOVER')
      .linkUp(0.9, false)
      .wake(1.05, '> DISCOVER');
  });

  test('a renewal is repeated once a second at most', () => {
    new Transcript({}, exact)
      .bound()
      .wake(1800, `> REQUEST to ${SERVER}`)
      .linkUp(1800.9, false)
      .linkUp(1801, false, `> REQUEST to ${SERVER}`)
      .linkUp(1801.5, false);
  });
});

describe('the link comes back while nothing waits', () => {
  test('before the start, after the end, and in the pause after a DECLINE', () => {
    new Transcript().linkUp(1, true).is('init');
    new Transcript().does({ type: 'release' }).linkUp(1, true).is('stopped').silentForEver();
    new Transcript()
      .bound()
      .does({ type: 'conflict' }, `withdraw ${ADDRESS}`, '> DECLINE')
      .linkUp(5, true)
      .is('waiting')
      .wake(10, '> DISCOVER');
  });

  test('in the pause of a NAK storm', () => {
    new Transcript()
      .start('> DISCOVER')
      .hears(0, 'DHCPOFFER', {}, '> REQUEST')
      .hears(0, 'DHCPNAK', {}, 'refused', '> DISCOVER')
      .hears(0, 'DHCPOFFER', {}, '> REQUEST')
      .hears(0, 'DHCPNAK', {}, 'refused')
      .linkUp(0.5, true)
      .wake(1, '> DISCOVER');
  });
});
