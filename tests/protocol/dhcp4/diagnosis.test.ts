import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '../../../src/base/bytes.ts';
import { describeAcquisition, outcomeOf } from '../../../src/protocol/dhcp4/diagnosis.ts';
import { IGNORE_REASONS } from '../../../src/protocol/dhcp4/reasons.ts';
import { HELD_ADDRESS, OTHER_ADDRESS, OTHER_SERVER } from './messages.ts';
import { Transcript } from './transcript.ts';

function diagnosis(t: Transcript): readonly [string, string] {
  assert.ok('acquisition' in t.state);
  return [outcomeOf(t.state.acquisition), describeAcquisition(t.state.acquisition, t.now)];
}

test('silence', () => {
  const t = new Transcript().start('> DISCOVER').wake(0.25, '> DISCOVER').wake(0.75, '> DISCOVER');
  assert.deepEqual(diagnosis(t), ['silent', 'sent 3 DISCOVERs in 750 ms; nothing came back']);
});

test('a server that offers and then says nothing', () => {
  const t = new Transcript().start('> DISCOVER').hears(0, 'DHCPOFFER', {}, '> REQUEST').silent(0.2);
  assert.deepEqual(diagnosis(t), ['unfinished', 'sent 1 DISCOVER and 1 REQUEST in 200 ms; took 1 OFFER']);
});

test('two servers that offer: the second OFFER is no fault', () => {
  const other = { options: { 'dhcp-server-identifier': OTHER_SERVER } };
  const t = new Transcript()
    .start('> DISCOVER')
    .hears(0, 'DHCPOFFER', {}, '> REQUEST')
    .hears(0, 'DHCPOFFER', other, 'ignore offer-not-chosen');
  const [outcome, text] = diagnosis(t);
  assert.equal(outcome, 'unfinished');
  assert.ok(text.endsWith(`took 1 OFFER; ignored 1 message: ${IGNORE_REASONS['offer-not-chosen']}`), text);
});

test('refusals, with the words of the server', () => {
  const t = new Transcript()
    .start('> DISCOVER')
    .hears(0, 'DHCPOFFER', {}, '> REQUEST')
    .hears(0, 'DHCPNAK', {}, 'refused', '> DISCOVER')
    .hears(0, 'DHCPOFFER', {}, '> REQUEST')
    .hears(0, 'DHCPNAK', { options: { 'dhcp-message': 'no free leases' } }, 'refused');
  assert.deepEqual(diagnosis(t), [
    'refused',
    'sent 2 DISCOVERs and 2 REQUESTs in 0 ms; took 2 OFFERs; was refused by 2 NAKs of 192.168.1.1 ("no free leases")',
  ]);
});

/** How a NAK with these bytes as option 56 is told. */
function said(raw: readonly number[]): string {
  const t = new Transcript()
    .start('> DISCOVER')
    .hears(0, 'DHCPOFFER', {}, '> REQUEST')
    .hears(0, 'DHCPNAK', { raw: { 'dhcp-message': raw } }, 'refused', '> DISCOVER');
  return diagnosis(t)[1].replace(/^.*was refused by 1 NAK/, '');
}

test('the words of a refusal are visible, bounded, and read whatever they are', () => {
  assert.equal(
    said([...utf8('no\u202Eyes\u001B[2J\u2028\u{E0041}'), 0, 0]),
    String.raw` of 192.168.1.1 ("no\u{202e}yes\u{1b}[2J\u{2028}\u{e0041}")`,
  );
  assert.equal(said([0x6e, 0x6f, 0xff]), ' of 192.168.1.1 ("no\uFFFD")');
  assert.equal(said([...utf8('x'.repeat(255))]), ` of 192.168.1.1 ("${'x'.repeat(120)}…")`);
  assert.equal(said([0]), ' of 192.168.1.1');
});

test('answers that cannot be used, each with its count and its reason', () => {
  const t = new Transcript()
    .start('> DISCOVER')
    .hears(0, 'DHCPOFFER', { raw: { 'dhcp-lease-time': [1] } }, 'ignore malformed-lease-time')
    .hears(0, 'DHCPOFFER', { raw: { 'dhcp-lease-time': [1] } }, 'ignore malformed-lease-time')
    .hears(0, 'DHCPOFFER', { without: ['dhcp-server-identifier'] }, 'ignore no-server-id');
  assert.deepEqual(diagnosis(t), [
    'unusable',
    `sent 1 DISCOVER in 0 ms; ignored 2 messages: ${IGNORE_REASONS['malformed-lease-time']}; ` +
      `ignored 1 message: ${IGNORE_REASONS['no-server-id']}`,
  ]);
});

test('an address that was asked for by name', () => {
  const t = new Transcript({ requestedAddress: OTHER_ADDRESS })
    .start('> DISCOVER')
    .hears(0, 'DHCPOFFER', {}, 'ignore other-address');
  assert.deepEqual(diagnosis(t), [
    'unusable',
    `${OTHER_ADDRESS} was asked for: sent 1 DISCOVER in 0 ms; ` +
      `ignored 1 message: ${IGNORE_REASONS['other-address']} (192.168.1.50 of 192.168.1.1)`,
  ]);
  // The same for a refusal, and for what is offered after it; what is given twice is named once.
  t.hears(0, 'DHCPOFFER', { yiaddr: OTHER_ADDRESS }, '> REQUEST')
    .hears(0, 'DHCPNAK', {}, 'refused', '> DISCOVER')
    .hears(0, 'DHCPOFFER', {}, 'ignore other-address')
    .hears(0, 'DHCPOFFER', { yiaddr: HELD_ADDRESS }, 'ignore other-address');
  const [outcome, text] = diagnosis(t);
  assert.equal(outcome, 'refused');
  assert.ok(text.startsWith(`${OTHER_ADDRESS} was asked for: sent 2 DISCOVERs and 1 REQUEST in 0 ms;`), text);
  assert.ok(text.endsWith(` (192.168.1.50 of 192.168.1.1, ${HELD_ADDRESS} of 192.168.1.1)`), text);
});
