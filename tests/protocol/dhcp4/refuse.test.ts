import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ADDRESS, OTHER_ADDRESS, OTHER_SERVER, SERVER } from './messages.ts';
import { Transcript } from './transcript.ts';

const exact = (): number => 0;
const from = { options: { 'dhcp-server-identifier': OTHER_SERVER } };

describe('NAK', () => {
  test('the first one: at once from the beginning; further ones ever later', () => {
    const t = new Transcript()
      .start('> DISCOVER')
      .hears(0, 'DHCPOFFER', {}, '> REQUEST')
      .hears(0, 'DHCPNAK', {}, 'refused', '> DISCOVER');
    let at = 0;
    for (const wait of [1, 2, 4, 8, 16, 32, 64, 64]) {
      t.hears(at, 'DHCPOFFER', {}, '> REQUEST').hears(at, 'DHCPNAK', {}, 'refused').is('waiting');
      t.hears(at + wait / 2, 'DHCPOFFER', {}, 'ignore unexpected-type');
      at += wait;
      t.wake(at, '> DISCOVER');
    }
    t.stillWorks();
  });

  test('in SELECTING nothing was requested, so there is nothing to refuse', () => {
    new Transcript().start('> DISCOVER').hears(0.1, 'DHCPNAK', {}, 'ignore unexpected-type').stillWorks();
  });

  test('in REBOOTING any server may refuse', () => {
    new Transcript()
      .held(OTHER_ADDRESS)
      .start('> REQUEST')
      .hears(0.1, 'DHCPNAK', from, 'refused', '> DISCOVER')
      .stillWorks();
  });

  test('without option 54 it is nobody’s word (RFC 2131 table 3)', () => {
    new Transcript()
      .start('> DISCOVER')
      .hears(0, 'DHCPOFFER', {}, '> REQUEST')
      .hears(0.1, 'DHCPNAK', { without: ['dhcp-server-identifier'] }, 'ignore no-server-id')
      .hears(0.1, 'DHCPNAK', { raw: { 'dhcp-server-identifier': [1, 2] } }, 'ignore malformed-server-id')
      .stillWorks();
  });

  test('in RENEWING the address goes at once, but only at the word of the server that was asked', () => {
    new Transcript({}, exact)
      .bound()
      .wake(1800, `> REQUEST to ${SERVER}`)
      .hears(1801, 'DHCPNAK', from, 'ignore other-server')
      .is('renewing')
      .hears(1802, 'DHCPNAK', {}, `withdraw ${ADDRESS}`, 'refused', '> DISCOVER')
      .is('selecting')
      .stillWorks();
  });

  test('in REBINDING any server was asked', () => {
    const t = new Transcript({}, exact).bound();
    t.now = Transcript.at(3200);
    t.does({ type: 'wake' }, '> REQUEST')
      .hears(3201, 'DHCPNAK', from, `withdraw ${ADDRESS}`, 'refused', '> DISCOVER')
      .stillWorks();
  });

  test('its text is kept for the diagnosis', () => {
    const t = new Transcript()
      .start('> DISCOVER')
      .hears(0, 'DHCPOFFER', {}, '> REQUEST')
      .hears(0, 'DHCPNAK', { options: { 'dhcp-message': 'wrong network' } }, 'refused', '> DISCOVER');
    assert.ok('acquisition' in t.state);
    assert.equal(t.state.acquisition.nakText, 'wrong network');
  });
});

describe('a conflict', () => {
  test('DECLINE by broadcast, ten seconds of silence, then from the beginning', () => {
    const t = new Transcript()
      .bound()
      .silent(5)
      .does({ type: 'conflict' }, `withdraw ${ADDRESS}`, '> DECLINE')
      .is('waiting');
    assert.equal(t.sent.secs, 0);
    t.hears(6, 'DHCPOFFER', {}, 'ignore unexpected-type').wake(15, '> DISCOVER').stillWorks();
  });

  for (const [which, earlier, pause] of [
    ['the ninth in a row as the first', 8, 10],
    ['from the tenth in a row on one address a minute (RFC 5227 2.1.1)', 9, 60],
    ['after the eleventh, too', 10, 60],
  ] as const)
    test(which, () => {
      new Transcript()
        .bound()
        .silent(5)
        .does({ type: 'conflict', earlier }, `withdraw ${ADDRESS}`, '> DECLINE')
        .silent(4 + pause)
        .wake(5 + pause, '> DISCOVER')
        .stillWorks();
    });

  test('in RENEWING and REBINDING as well', () => {
    new Transcript({}, exact)
      .bound()
      .wake(1800, `> REQUEST to ${SERVER}`)
      .does({ type: 'conflict' }, `withdraw ${ADDRESS}`, '> DECLINE')
      .stillWorks();
  });

  test('without a lease there is none', () => {
    new Transcript().start('> DISCOVER').does({ type: 'conflict' }).is('selecting').stillWorks();
  });
});

describe('release', () => {
  test('before the start, and twice: nothing to say', () => {
    new Transcript().does({ type: 'release' }).is('stopped').does({ type: 'release' }).silentForEver();
  });

  test('SELECTING and REBOOTING hold nothing', () => {
    new Transcript().start('> DISCOVER').does({ type: 'release' }).is('stopped').silentForEver();
    new Transcript().held(ADDRESS).start('> REQUEST').does({ type: 'release' }).is('stopped');
  });

  test('REQUESTING: the ACK may be on its way, so the offer is given back', () => {
    new Transcript()
      .start('> DISCOVER')
      .hears(0, 'DHCPOFFER', {}, '> REQUEST')
      .does({ type: 'release' }, `> RELEASE to ${SERVER}`)
      .is('stopped')
      .silentForEver();
  });

  test('after REQUESTs that nobody answered: their ACKs may all have been lost', () => {
    new Transcript()
      .start('> DISCOVER')
      .hears(0, 'DHCPOFFER', {}, '> REQUEST')
      .wake(0.25, '> REQUEST')
      .wake(0.75, '> REQUEST')
      .wake(1.75, '> REQUEST')
      .wake(3.75, '> REQUEST')
      .wake(7.75, '> REQUEST')
      .wake(15.75, `unacknowledged ${ADDRESS}`, '> DISCOVER')
      .does({ type: 'release' }, `> RELEASE to ${SERVER}`);
  });

  test('what was refused is not given back', () => {
    new Transcript()
      .start('> DISCOVER')
      .hears(0, 'DHCPOFFER', {}, '> REQUEST')
      .hears(0, 'DHCPNAK', {}, 'refused', '> DISCOVER')
      .does({ type: 'release' })
      .is('stopped');
  });

  test('BOUND, RENEWING, REBINDING: from the address, to the server, and the address goes last', () => {
    const t = new Transcript({}, exact).bound();
    t.does({ type: 'release' }, `> RELEASE to ${SERVER}`, `withdraw ${ADDRESS}`).is('stopped');
    const [effect] = t.last;
    assert.ok(effect?.type === 'send' && effect.via.kind === 'unicast');
    assert.deepEqual([effect.via.from, effect.reply], [ADDRESS, false]);
    new Transcript({}, exact)
      .bound()
      .wake(1800, `> REQUEST to ${SERVER}`)
      .does({ type: 'release' }, `> RELEASE to ${SERVER}`, `withdraw ${ADDRESS}`);
    const late = new Transcript({}, exact).bound();
    late.now = Transcript.at(3200);
    late
      .does({ type: 'wake' }, '> REQUEST')
      .does({ type: 'release' }, `> RELEASE to ${SERVER}`, `withdraw ${ADDRESS}`);
  });

  test('in the pause after a DECLINE nothing is held', () => {
    new Transcript()
      .bound()
      .does({ type: 'conflict' }, `withdraw ${ADDRESS}`, '> DECLINE')
      .does({ type: 'release' })
      .is('stopped')
      .silentForEver();
  });

  test('after it nothing wakes the client any more', () => {
    new Transcript()
      .bound()
      .does({ type: 'release' }, `> RELEASE to ${SERVER}`, `withdraw ${ADDRESS}`)
      .does({ type: 'start' })
      .does({ type: 'wake' })
      .does({ type: 'conflict' })
      .hears(1, 'DHCPACK', {}, 'ignore unexpected-type')
      .is('stopped');
  });
});
