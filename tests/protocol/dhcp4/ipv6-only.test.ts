import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { IPV4_ANY } from '../../../src/base/ipv4.ts';
import { heldBy, leaseOf } from '../../../src/protocol/dhcp4/state.ts';
import { readOption } from '../../../src/wire/dhcp4/options.ts';
import { ADDRESS, SERVER } from './messages.ts';
import { Transcript } from './transcript.ts';

const willing = { ipv6Only: true, parameterRequest: [1, 3, 108] };
const preferring = (secs: number) => ({ options: { 'v6-only-preferred': secs } });
const rapid = { options: { 'v6-only-preferred': 0, 'rapid-commit': true } } as const;

/** The message of the last step has 108 in its list. */
function asks(t: Transcript): void {
  const list = readOption(t.sent.options, 'dhcp-parameter-request-list');
  assert.ok(list.kind === 'value' && list.value.includes(108), `${t.state.kind}: ${JSON.stringify(list)}`);
}

describe('IPv6-only preferred (RFC 8925)', () => {
  for (const [secs, wait, name] of [
    [0, 300, 'no wait means the shortest'],
    [10, 300, 'a short one, too'],
    [301, 301, 'as it was given'],
    [86_400, 86_400, 'a day'],
    [0xffffffff, 86_400, 'for ever is a day'],
  ] as const) {
    test(`an OFFER with ${secs} s: ${name}`, () => {
      const t = new Transcript(willing).start('> DISCOVER');
      t.hears(1 / 8, 'DHCPOFFER', preferring(secs), 'ipv6-only').is('ipv6-only');
      assert.deepEqual(t.last, [{ type: 'ipv6-only', until: Transcript.at(wait + 1 / 8) }]);
      assert.deepEqual([leaseOf(t.state), heldBy(t.state)], [undefined, undefined]);
      t.wake(wait + 1 / 8, '> DISCOVER')
        .is('selecting')
        .stillWorks();
    });
  }

  test('an OFFER without an address', () => {
    const how = { ...preferring(0), yiaddr: IPV4_ANY, without: ['dhcp-lease-time'] } as const;
    new Transcript(willing).start('> DISCOVER').hears(0.1, 'DHCPOFFER', how, 'ipv6-only').is('ipv6-only');
  });

  test('who has not said that it can do without IPv4 does not look at it', () => {
    new Transcript()
      .start('> DISCOVER')
      .hears(0.1, 'DHCPOFFER', preferring(600), '> REQUEST')
      .hears(0.2, 'DHCPACK', preferring(600), `install ${ADDRESS}`);
  });

  test('an option of another length is ignored, and an OFFER without one leads the usual way', () => {
    for (const bytes of [[], [0, 0], [0, 0, 0, 0, 0]]) {
      const how = { raw: { 'v6-only-preferred': bytes } };
      new Transcript(willing).start('> DISCOVER').hears(0.1, 'DHCPOFFER', how, '> REQUEST').stillWorks();
    }
    new Transcript(willing).bound();
  });

  test('an OFFER that comes second, and a NAK, do not count', () => {
    new Transcript(willing)
      .start('> DISCOVER')
      .hears(0, 'DHCPNAK', preferring(0), 'ignore unexpected-type')
      .hears(0, 'DHCPOFFER', {}, '> REQUEST')
      .hears(0, 'DHCPOFFER', preferring(0), 'ignore offer-not-chosen')
      .is('requesting');
  });

  test('REQUESTING, RENEWING, REBINDING, VERIFYING: the address of the ACK is used on', () => {
    const t = new Transcript(willing, () => 0)
      .start('> DISCOVER')
      .hears(0, 'DHCPOFFER', {}, '> REQUEST')
      .hears(0, 'DHCPACK', preferring(0), `install ${ADDRESS}`)
      .linkUp(100, true, '> REQUEST')
      .hears(100, 'DHCPACK', preferring(0), `extend ${ADDRESS}`)
      .wake(1900, `> REQUEST to ${SERVER}`)
      .hears(1900, 'DHCPACK', preferring(0), `extend ${ADDRESS}`);
    t.now = Transcript.at(1900 + 3200);
    t.does({ type: 'wake' }, '> REQUEST').hears(5100, 'DHCPACK', preferring(0), `extend ${ADDRESS}`);
  });

  test('it is asked for in every DISCOVER and REQUEST, also where the list is cut short', () => {
    const silent = new Transcript(willing).start('> DISCOVER');
    for (const seconds of [0, 0.25, 0.75, 1.75, 3.75]) {
      if (seconds > 0) silent.wake(seconds, '> DISCOVER');
      asks(silent);
    }
    const t = new Transcript(willing, () => 0).start('> DISCOVER').hears(0, 'DHCPOFFER', {}, '> REQUEST');
    asks(t);
    asks(t.hears(0, 'DHCPACK', {}, `install ${ADDRESS}`).wake(1800, `> REQUEST to ${SERVER}`));
    t.now = Transcript.at(3200);
    asks(t.does({ type: 'wake' }, '> REQUEST').is('rebinding'));
    asks(new Transcript(willing).held(ADDRESS).start('> REQUEST').is('rebooting'));
    asks(new Transcript(willing).bound().linkUp(100, true, '> REQUEST').is('verifying'));
  });

  test('INIT-REBOOT: the ACK is not used and given back', () => {
    const t = new Transcript(willing).held(ADDRESS).start('> REQUEST');
    t.hears(0.1, 'DHCPACK', preferring(0), `> RELEASE to ${SERVER}`, 'ipv6-only').is('ipv6-only');
    assert.equal(t.sent.ciaddr, ADDRESS);
    t.wake(300.1, '> DISCOVER').stillWorks();
  });

  test('rapid commit: the same', () => {
    new Transcript(willing)
      .start('> DISCOVER')
      .hears(0.1, 'DHCPACK', rapid, `> RELEASE to ${SERVER}`, 'ipv6-only')
      .does({ type: 'release' })
      .is('stopped')
      .silentForEver();
  });

  test('what another pod of this node has is not given back', () => {
    const t = new Transcript(willing);
    t.objectionTo = () => ({ reason: 'held-on-this-node', holder: 'its twin', tellServer: false });
    t.start('> DISCOVER').hears(0.1, 'DHCPACK', rapid, 'ipv6-only').is('ipv6-only');
  });

  test('a server that is not allowed has no say', () => {
    new Transcript({ ...willing, servers: [ADDRESS] })
      .start('> DISCOVER')
      .hears(0.1, 'DHCPOFFER', preferring(0), 'ignore server-not-allowed')
      .is('selecting');
  });

  test('a network attachment ends the wait, a second later', () => {
    new Transcript(willing)
      .start('> DISCOVER')
      .hears(0, 'DHCPOFFER', preferring(0), 'ipv6-only')
      .linkUp(50, true)
      .is('ipv6-only')
      .linkUp(50.5, true)
      .wake(51, '> DISCOVER')
      .stillWorks();
  });

  test('messages, a conflict and a start mean nothing meanwhile', () => {
    new Transcript(willing)
      .start('> DISCOVER')
      .hears(0, 'DHCPOFFER', preferring(0), 'ipv6-only')
      .hears(1, 'DHCPOFFER', {}, 'ignore unexpected-type')
      .does({ type: 'conflict' })
      .does({ type: 'start' })
      .is('ipv6-only');
  });
});
