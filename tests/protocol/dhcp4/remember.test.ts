import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { heldBy, leaseOf } from '../../../src/protocol/dhcp4/state.ts';
import { readOption } from '../../../src/wire/dhcp4/options.ts';
import { ADDRESS, OTHER_ADDRESS, OTHER_SERVER, SERVER } from './messages.ts';
import { Transcript } from './transcript.ts';

const exact = (): number => 0;

/** Option 50 of the message that was just sent. */
function wish(t: Transcript): string | undefined {
  const option = readOption(t.sent.options, 'dhcp-requested-address');
  return option.kind === 'value' ? option.value : undefined;
}

function begin(t: Transcript): Transcript {
  return t.does({ type: 'start', hint: ADDRESS }, '> DISCOVER');
}

describe('an address that was held before', () => {
  test('INIT with it holds nothing that could be released', () => {
    const t = new Transcript().held(ADDRESS);
    assert.equal(heldBy(t.state), undefined);
    t.does({ type: 'release' }).is('stopped');
  });

  test('it is asked for by INIT-REBOOT', () => {
    const t = new Transcript().held(ADDRESS).start('> REQUEST').is('rebooting');
    assert.equal(wish(t), ADDRESS);
    t.hears(0.1, 'DHCPACK', {}, `install ${ADDRESS}`).is('bound');
  });

  test('its lease counts from the first of these REQUESTs (RFC 2131 4.4.2)', () => {
    const t = new Transcript().held(ADDRESS).start('> REQUEST').wake(0.25, '> REQUEST');
    t.hears(0.5, 'DHCPACK', {}, `install ${ADDRESS}`);
    assert.equal(leaseOf(t.state)?.times?.expiresAt, Transcript.at(3600));
  });

  test('one whose lease is over is not: INIT, with it as a wish (RFC 2131 4.4.5)', () => {
    const t = new Transcript();
    t.state = { kind: 'init', last: ADDRESS, lapsed: true };
    t.start('> DISCOVER').is('selecting');
    assert.equal(wish(t), ADDRESS);
    t.hears(0.1, 'DHCPOFFER', { yiaddr: OTHER_ADDRESS }, '> REQUEST').stillWorks();
  });

  test('silence: DISCOVER with it as a wish, and any address is taken', () => {
    const t = new Transcript()
      .held(ADDRESS)
      .start('> REQUEST')
      .wake(0.25, '> REQUEST')
      .wake(0.75, '> REQUEST')
      .wake(1.75, '> DISCOVER');
    assert.equal(wish(t), ADDRESS);
    t.wake(2, '> DISCOVER');
    assert.equal(wish(t), ADDRESS);
    t.hears(2.1, 'DHCPOFFER', { yiaddr: OTHER_ADDRESS }, '> REQUEST');
    assert.equal(wish(t), OTHER_ADDRESS);
    t.hears(2.2, 'DHCPACK', { yiaddr: OTHER_ADDRESS }, `install ${OTHER_ADDRESS}`);
  });

  test('a NAK: the same, as a server that forgot its leases offers the address again', () => {
    const t = new Transcript()
      .held(ADDRESS)
      .start('> REQUEST')
      .hears(0.1, 'DHCPNAK', {}, 'refused', '> DISCOVER');
    assert.equal(wish(t), ADDRESS);
    t.hears(0.2, 'DHCPOFFER', { yiaddr: OTHER_ADDRESS }, '> REQUEST').stillWorks();
  });

  test('any server may confirm or refuse it, and an OFFER means nothing (RFC 2131 4.4.2, figure 5)', () => {
    const other = { options: { 'dhcp-server-identifier': OTHER_SERVER } };
    new Transcript()
      .held(ADDRESS)
      .start('> REQUEST')
      .hears(0.1, 'DHCPOFFER', {}, 'ignore unexpected-type')
      .is('rebooting')
      .hears(0.2, 'DHCPACK', other, `install ${ADDRESS}`);
    new Transcript().held(ADDRESS).start('> REQUEST').hears(0.1, 'DHCPNAK', other, 'refused', '> DISCOVER');
  });

  test('somebody else uses it by now: DECLINE, and another one is sought (RFC 2131 3.2)', () => {
    const t = new Transcript()
      .held(ADDRESS)
      .start('> REQUEST')
      .hears(0, 'DHCPACK', {}, `install ${ADDRESS}`)
      .does({ type: 'conflict' }, `withdraw ${ADDRESS}`, '> DECLINE');
    assert.equal(wish(t), ADDRESS);
    t.wake(10, '> DISCOVER').is('selecting');
    assert.equal(wish(t), undefined);
  });

  test('an ACK for another address is taken at once', () => {
    new Transcript()
      .held(ADDRESS)
      .start('> REQUEST')
      .hears(0.1, 'DHCPACK', { yiaddr: OTHER_ADDRESS }, `install ${OTHER_ADDRESS}`);
  });

  test('the wish is given up when it was offered and then refused', () => {
    const t = new Transcript()
      .held(ADDRESS)
      .start('> REQUEST')
      .hears(0.1, 'DHCPNAK', {}, 'refused', '> DISCOVER')
      .hears(0.2, 'DHCPOFFER', {}, '> REQUEST')
      .hears(0.3, 'DHCPNAK', {}, 'refused')
      .is('waiting')
      .wake(1.3, '> DISCOVER');
    assert.equal(wish(t), undefined);
    t.stillWorks();
  });

  test('one that the configuration insists on goes before it, and stays strict', () => {
    const t = new Transcript({ requestedAddress: OTHER_ADDRESS }).held(ADDRESS).start('> DISCOVER');
    assert.equal(wish(t), OTHER_ADDRESS);
    t.hears(0.1, 'DHCPOFFER', {}, 'ignore other-address').stillWorks();
  });
});

describe('after a lease is lost', () => {
  test('by its end: the same address is wished for, another one is taken', () => {
    const t = new Transcript({}, exact).bound();
    t.now = Transcript.at(3600);
    t.does({ type: 'wake' }, `withdraw ${ADDRESS}`, '> DISCOVER');
    assert.equal(wish(t), ADDRESS);
    t.hears(3600, 'DHCPOFFER', { yiaddr: OTHER_ADDRESS }, '> REQUEST').hears(
      3600,
      'DHCPACK',
      { yiaddr: OTHER_ADDRESS },
      `install ${OTHER_ADDRESS}`,
    );
  });

  test('by a NAK: it is not', () => {
    const t = new Transcript({}, exact).bound().wake(1800, `> REQUEST to ${SERVER}`);
    t.hears(1801, 'DHCPNAK', {}, `withdraw ${ADDRESS}`, 'refused', '> DISCOVER');
    assert.equal(wish(t), undefined);
  });

  test('by a conflict: it is not', () => {
    const t = new Transcript()
      .bound()
      .does({ type: 'conflict' }, `withdraw ${ADDRESS}`, '> DECLINE')
      .wake(10, '> DISCOVER');
    assert.equal(wish(t), undefined);
  });

  test('who refused is told', () => {
    const t = new Transcript({}, exact).bound();
    t.now = Transcript.at(3200);
    const how = { options: { 'dhcp-server-identifier': OTHER_SERVER, 'dhcp-message': 'wrong network' } };
    t.does({ type: 'wake' }, '> REQUEST').hears(
      3201,
      'DHCPNAK',
      how,
      `withdraw ${ADDRESS}`,
      'refused',
      '> DISCOVER',
    );
    assert.deepEqual(t.last[1], { type: 'refused', text: 'wrong network', server: OTHER_SERVER });
  });
});

describe('an address that was given back', () => {
  test('is wished for in every DISCOVER, at once', () => {
    const t = begin(new Transcript()).is('selecting');
    assert.equal(wish(t), ADDRESS);
    t.wake(0.25, '> DISCOVER');
    assert.equal(wish(t), ADDRESS);
    t.hears(0.5, 'DHCPOFFER', {}, '> REQUEST').hears(0.6, 'DHCPACK', {}, `install ${ADDRESS}`);
  });

  test('another one is taken as gladly', () => {
    begin(new Transcript())
      .hears(0.1, 'DHCPOFFER', { yiaddr: OTHER_ADDRESS }, '> REQUEST')
      .hears(0.2, 'DHCPACK', { yiaddr: OTHER_ADDRESS }, `install ${OTHER_ADDRESS}`);
  });

  test('it is given up when it was offered and then refused', () => {
    const t = begin(new Transcript())
      .hears(0.1, 'DHCPOFFER', {}, '> REQUEST')
      .hears(0.2, 'DHCPNAK', {}, 'refused', '> DISCOVER');
    assert.equal(wish(t), undefined);
    t.stillWorks();
  });

  test('what the configuration insists on, and what is held, go before it', () => {
    const strict = new Transcript({ requestedAddress: OTHER_ADDRESS });
    strict.does({ type: 'start', hint: ADDRESS }, '> DISCOVER');
    assert.equal(wish(strict), OTHER_ADDRESS);
    const held = new Transcript().held(OTHER_ADDRESS);
    held.does({ type: 'start', hint: ADDRESS }, '> REQUEST').is('rebooting');
    assert.equal(wish(held), OTHER_ADDRESS);
  });

  test('holds nothing that could be released', () => {
    const t = begin(new Transcript());
    assert.equal(heldBy(t.state), undefined);
    t.does({ type: 'release' }).is('stopped');
  });
});
