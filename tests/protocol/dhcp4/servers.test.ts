import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../../src/base/ipv4.ts';
import { describeAcquisition, outcomeOf } from '../../../src/protocol/dhcp4/diagnosis.ts';
import { IGNORE_REASONS } from '../../../src/protocol/dhcp4/reasons.ts';
import { MOST_STRANGERS } from '../../../src/protocol/dhcp4/state.ts';
import { ADDRESS, OTHER_SERVER, SERVER } from './messages.ts';
import { Transcript } from './transcript.ts';

const exact = (): number => 0;
const only = { servers: [SERVER] };
const rogue = { options: { 'dhcp-server-identifier': OTHER_SERVER } };
const IGNORED = 'ignore server-not-allowed';

describe('servers that are not on the list', () => {
  test('OFFER, ACK and NAK are ignored, and the server is named', () => {
    const t = new Transcript(only).start('> DISCOVER').hears(0, 'DHCPOFFER', rogue, IGNORED);
    assert.deepEqual(t.last, [{ type: 'ignore', reason: 'server-not-allowed', server: OTHER_SERVER }]);
    t.hears(0, 'DHCPACK', { options: { ...rogue.options, 'rapid-commit': true } }, IGNORED)
      .hears(0, 'DHCPOFFER', {}, '> REQUEST')
      .hears(0, 'DHCPACK', rogue, IGNORED)
      .hears(0, 'DHCPNAK', rogue, IGNORED)
      .hears(0, 'DHCPACK', {}, `install ${ADDRESS}`);
  });

  test('in INIT-REBOOT, RENEWING, REBINDING and VERIFYING as well', () => {
    new Transcript(only).held(ADDRESS).start('> REQUEST').hears(0, 'DHCPNAK', rogue, IGNORED).is('rebooting');
    const t = new Transcript(only, exact)
      .bound()
      .linkUp(100, true, '> REQUEST')
      .hears(100, 'DHCPNAK', rogue, IGNORED)
      .hears(100, 'DHCPACK', rogue, IGNORED)
      .hears(100, 'DHCPACK', {}, `extend ${ADDRESS}`)
      .wake(1900, `> REQUEST to ${SERVER}`)
      .hears(1900, 'DHCPACK', rogue, IGNORED)
      .hears(1900, 'DHCPNAK', rogue, IGNORED);
    t.now = Transcript.at(3300);
    t.does({ type: 'wake' }, '> REQUEST')
      .hears(3300, 'DHCPNAK', rogue, IGNORED)
      .hears(3300, 'DHCPACK', rogue, IGNORED)
      .is('rebinding')
      .hears(3300, 'DHCPACK', {}, `extend ${ADDRESS}`);
  });

  test('each of several allowed ones may answer', () => {
    const t = new Transcript({ servers: [SERVER, OTHER_SERVER] }, exact).bound();
    t.wake(1800, `> REQUEST to ${SERVER}`).hears(1800, 'DHCPACK', rogue, `extend ${ADDRESS}`);
  });

  test('an ACK without option 54 is judged by the server that gave the lease', () => {
    const nameless = { without: ['dhcp-server-identifier'] } as const;
    const t = new Transcript(only, exact).bound().wake(1800, `> REQUEST to ${SERVER}`);
    t.hears(1800, 'DHCPACK', nameless, `extend ${ADDRESS}`);
  });

  test('the diagnosis names them, the first few', () => {
    const t = new Transcript(only).start('> DISCOVER');
    const heard = [2, 3, 2, 4, 5, 6, 7].map((n) => ipv4(`192.168.1.${n}`));
    for (const server of heard) {
      t.hears(0, 'DHCPOFFER', { options: { 'dhcp-server-identifier': server } }, IGNORED);
    }
    assert.ok('acquisition' in t.state);
    const { acquisition } = t.state;
    assert.equal(acquisition.strangers.length, MOST_STRANGERS);
    assert.equal(outcomeOf(acquisition), 'unusable');
    assert.equal(
      describeAcquisition(acquisition, t.now),
      `sent 1 DISCOVER in 0 ms; ignored 7 messages: ${IGNORE_REASONS['server-not-allowed']} ` +
        '(192.168.1.2, 192.168.1.3, 192.168.1.4, 192.168.1.5)',
    );
    t.stillWorks();
  });
});

describe('servers that are allowed and still not listened to are named, too', () => {
  test('in REQUESTING', () => {
    const t = new Transcript().start('> DISCOVER').hears(0, 'DHCPOFFER', {}, '> REQUEST');
    t.hears(0, 'DHCPOFFER', rogue, 'ignore offer-not-chosen');
    assert.deepEqual(t.last, [{ type: 'ignore', reason: 'offer-not-chosen', server: OTHER_SERVER }]);
    t.hears(0, 'DHCPACK', rogue, 'ignore other-server');
    assert.deepEqual(t.last, [{ type: 'ignore', reason: 'other-server', server: OTHER_SERVER }]);
  });

  test('in RENEWING', () => {
    const t = new Transcript({}, exact).bound().wake(1800, `> REQUEST to ${SERVER}`);
    t.hears(1800, 'DHCPNAK', rogue, 'ignore other-server');
    assert.deepEqual(t.last, [{ type: 'ignore', reason: 'other-server', server: OTHER_SERVER }]);
  });
});
