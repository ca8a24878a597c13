import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readOption } from '../../../src/wire/dhcp4/options.ts';
import { ADDRESS, OTHER_ADDRESS, OTHER_SERVER, SERVER } from './messages.ts';
import { Transcript } from './transcript.ts';

/** Option 50 of the message that was just sent. */
function wish(t: Transcript) {
  return readOption(t.sent.options, 'dhcp-requested-address');
}

describe('INIT and SELECTING', () => {
  test('four messages make a lease', () => {
    new Transcript()
      .start('> DISCOVER')
      .is('selecting')
      .hears(0.01, 'DHCPOFFER', {}, '> REQUEST')
      .is('requesting')
      .hears(0.02, 'DHCPACK', {}, 'install 192.168.1.50')
      .is('bound')
      .silent(1700);
  });

  test('what is asked for and not given costs nothing: vendor information, too (RFC 2132 8.4)', () => {
    const t = new Transcript({ parameterRequest: [1, 3, 6, 15, 26, 33, 42, 43, 119, 121, 224] })
      .start('> DISCOVER')
      .hears(0, 'DHCPOFFER', { without: ['routers'] }, '> REQUEST')
      .hears(0, 'DHCPACK', { without: ['routers'] }, 'install 192.168.1.50');
    assert.ok(t.state.kind === 'bound');
    assert.deepEqual([t.state.lease.malformed, t.state.lease.remarks], [[], []]);
  });

  test('DISCOVER is sent again after 0.25, 0.5, 1 ... 64 s, then every 64 s', () => {
    const t = new Transcript().start('> DISCOVER');
    let at = 0;
    for (const wait of [0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 64, 64]) {
      at += wait;
      t.wake(at, '> DISCOVER');
    }
    t.stillWorks();
  });

  for (const [random, share, most] of [
    [0, -0.25, -1],
    [0.999_999_999, 0.25, 1],
  ] as const) {
    test(`with random ${random} each wait is off by ${share * 100} %, and by ${most} s at most`, () => {
      const t = new Transcript({}, () => random).start('> DISCOVER');
      for (const wait of [0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 64]) {
        assert.ok('resendAt' in t.state);
        const jitter = (t.state.resendAt - t.now) / 1000 - wait;
        const expected = Math.abs(wait * share) > 1 ? most : wait * share;
        assert.ok(Math.abs(jitter - expected) < 0.001, `${wait} s: ${jitter} instead of ${expected}`);
        t.now = t.state.resendAt;
        t.does({ type: 'wake' }, '> DISCOVER');
      }
      t.stillWorks();
    });
  }

  test('all DISCOVERs of a search have one xid, so that a slow OFFER is still taken', () => {
    const t = new Transcript().start('> DISCOVER');
    const { xid } = t;
    t.wake(0.25, '> DISCOVER').wake(0.75, '> DISCOVER');
    assert.equal(t.xid, xid);
    t.hears(0.9, 'DHCPOFFER', {}, '> REQUEST').stillWorks();
  });

  test('secs tells for how long an address has been sought', () => {
    const t = new Transcript().start('> DISCOVER');
    assert.equal(t.sent.secs, 0);
    for (const at of [0.25, 0.75, 1.75, 3.75]) t.wake(at, '> DISCOVER');
    assert.equal(t.sent.secs, 3);
  });
});

describe('REQUESTING', () => {
  test('REQUEST goes out six times, then an address is sought anew', () => {
    new Transcript()
      .start('> DISCOVER')
      .hears(0, 'DHCPOFFER', {}, '> REQUEST')
      .wake(0.25, '> REQUEST')
      .wake(0.75, '> REQUEST')
      .wake(1.75, '> REQUEST')
      .wake(3.75, '> REQUEST')
      .wake(7.75, '> REQUEST')
      .wake(15.75, 'unacknowledged 192.168.1.50', '> DISCOVER')
      .is('selecting')
      .wake(16, '> DISCOVER')
      .stillWorks();
  });

  test('it keeps xid and secs of the DISCOVER (RFC 2131 3.1, 4.4.1), however long it takes', () => {
    const t = new Transcript().start('> DISCOVER');
    const { xid } = t;
    for (const at of [0.25, 0.75, 1.75, 3.75]) t.wake(at, '> DISCOVER');
    t.hears(6, 'DHCPOFFER', {}, '> REQUEST');
    assert.deepEqual([t.sent.xid, t.sent.secs], [xid, 3]);
    t.wake(6.25, '> REQUEST').wake(6.75, '> REQUEST').wake(7.75, '> REQUEST').wake(9.75, '> REQUEST');
    assert.deepEqual([t.sent.xid, t.sent.secs], [xid, 3]);
  });

  test('further OFFERs are discarded and say nothing against the network', () => {
    new Transcript()
      .start('> DISCOVER')
      .hears(0, 'DHCPOFFER', {}, '> REQUEST')
      .hears(
        0.1,
        'DHCPOFFER',
        { options: { 'dhcp-server-identifier': OTHER_SERVER } },
        'ignore offer-not-chosen',
      )
      .is('requesting')
      .stillWorks();
  });

  test('only the server that was chosen has a say', () => {
    const from = { options: { 'dhcp-server-identifier': OTHER_SERVER } };
    new Transcript()
      .start('> DISCOVER')
      .hears(0, 'DHCPOFFER', {}, '> REQUEST')
      .hears(0.1, 'DHCPACK', from, 'ignore other-server')
      .hears(0.1, 'DHCPNAK', from, 'ignore other-server')
      .hears(0.1, 'DHCPACK', {}, 'install 192.168.1.50');
  });

  test('the address of the ACK counts, not that of the OFFER', () => {
    new Transcript()
      .start('> DISCOVER')
      .hears(0, 'DHCPOFFER', {}, '> REQUEST')
      .hears(0.1, 'DHCPACK', { yiaddr: OTHER_ADDRESS }, `install ${OTHER_ADDRESS}`);
  });

  test('the lease counts from the first REQUEST, not from the ACK', () => {
    const t = new Transcript()
      .start('> DISCOVER')
      .hears(0.2, 'DHCPOFFER', {}, '> REQUEST')
      .wake(0.45, '> REQUEST')
      .hears(0.9, 'DHCPACK', {}, 'install 192.168.1.50');
    assert.ok(t.state.kind === 'bound');
    assert.equal(t.state.lease.acquiredAt, Transcript.at(0.2));
    assert.equal(t.state.lease.times?.expiresAt, Transcript.at(3600.2));
  });
});

describe('the only address that will do', () => {
  const wanted = { requestedAddress: OTHER_ADDRESS };

  test('is asked for by DISCOVER with option 50: this client never had it (RFC 2131 4.3.2, 4.4.1)', () => {
    const t = new Transcript(wanted).start('> DISCOVER').is('selecting');
    assert.deepEqual(wish(t), { kind: 'value', value: OTHER_ADDRESS });
    t.hears(0.1, 'DHCPOFFER', { yiaddr: OTHER_ADDRESS }, '> REQUEST').hears(
      0.1,
      'DHCPACK',
      { yiaddr: OTHER_ADDRESS },
      `install ${OTHER_ADDRESS}`,
    );
  });

  test('is asked for by INIT-REBOOT where this client has it', () => {
    new Transcript(wanted).held(OTHER_ADDRESS).start('> REQUEST').is('rebooting');
    new Transcript(wanted).held(ADDRESS).start('> DISCOVER').is('selecting');
  });

  test('rapid commit is not offered beside it, in no DISCOVER, and an ACK to one is nothing', () => {
    const rapid = { options: { 'rapid-commit': true } } as const;
    const t = new Transcript(wanted).start('> DISCOVER');
    for (let turn = 0; turn < 8; turn++) {
      assert.equal(t.sent.options.has(80), false);
      t.does({ type: 'message', message: t.answer('DHCPACK', rapid) }, 'ignore unexpected-type');
      t.now = t.due;
      t.does({ type: 'wake' }, '> DISCOVER');
    }
  });

  test('another one is never taken: not from an OFFER, not from an ACK', () => {
    const back = [`ignore other-address`, `not accepted ${ADDRESS}`, `> RELEASE to ${SERVER}`];
    new Transcript(wanted)
      .start('> DISCOVER')
      .hears(0.1, 'DHCPOFFER', {}, 'ignore other-address')
      .hears(0.2, 'DHCPOFFER', { yiaddr: OTHER_ADDRESS }, '> REQUEST')
      .hears(0.3, 'DHCPACK', {}, ...back, '> DISCOVER')
      .hears(0.4, 'DHCPOFFER', { yiaddr: OTHER_ADDRESS }, '> REQUEST')
      .hears(0.5, 'DHCPACK', { yiaddr: OTHER_ADDRESS }, `install ${OTHER_ADDRESS}`);
  });
});

function begin(): Transcript {
  return new Transcript().held(OTHER_ADDRESS);
}

describe('INIT-REBOOT', () => {
  test('the address that this client has is requested at once', () => {
    begin()
      .start('> REQUEST')
      .is('rebooting')
      .hears(0.1, 'DHCPACK', { yiaddr: OTHER_ADDRESS }, `install ${OTHER_ADDRESS}`)
      .is('bound');
  });

  test('after three tries DISCOVER follows, with the address as a hint', () => {
    const t = begin()
      .start('> REQUEST')
      .wake(0.25, '> REQUEST')
      .wake(0.75, '> REQUEST')
      .wake(1.75, '> DISCOVER');
    assert.deepEqual(wish(t), { kind: 'value', value: OTHER_ADDRESS });
    t.stillWorks();
  });

  test('any server may answer, an OFFER means nothing', () => {
    begin()
      .start('> REQUEST')
      .hears(0.1, 'DHCPOFFER', { yiaddr: OTHER_ADDRESS }, 'ignore unexpected-type')
      .hears(
        0.2,
        'DHCPACK',
        { yiaddr: OTHER_ADDRESS, options: { 'dhcp-server-identifier': OTHER_SERVER } },
        `install ${OTHER_ADDRESS}`,
      );
  });
});

describe('rapid commit', () => {
  const rapid = { options: { 'rapid-commit': true } } as const;

  test('an ACK at once is taken when it was asked for and is so marked', () => {
    const t = new Transcript().start('> DISCOVER').wake(0.25, '> DISCOVER');
    t.hears(0.3, 'DHCPACK', rapid, 'install 192.168.1.50').is('bound');
    assert.ok(t.state.kind === 'bound');
    assert.equal(t.state.lease.acquiredAt, Transcript.at(0.25), 'counted from the DISCOVER');
  });

  test('an ACK that does not say so is discarded, and DISCOVER goes out without offering it', () => {
    new Transcript()
      .start('> DISCOVER')
      .hears(0.1, 'DHCPACK', {}, 'ignore rapid-ack-unmarked', '> DISCOVER')
      .hears(0.2, 'DHCPOFFER', {}, '> REQUEST')
      .stillWorks();
  });

  test('who did not ask for it takes none', () => {
    const t = new Transcript({ rapidCommit: false }).start('> DISCOVER');
    assert.equal(readOption(t.sent.options, 'rapid-commit').kind, 'absent');
    t.hears(0.1, 'DHCPACK', rapid, 'ignore unexpected-type').stillWorks();
  });

  test('an OFFER in spite of it leads the usual way', () => {
    const t = new Transcript().start('> DISCOVER').hears(0.1, 'DHCPOFFER', rapid, '> REQUEST');
    assert.equal(readOption(t.sent.options, 'rapid-commit').kind, 'absent', 'RFC 4039: never in a REQUEST');
    t.stillWorks();
  });
});
