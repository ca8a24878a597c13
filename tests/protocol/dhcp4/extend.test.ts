import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../../src/base/ipv4.ts';
import { ADDRESS, OTHER_ADDRESS, OTHER_SERVER, reply, type Reply, SERVER } from './messages.ts';
import { Transcript } from './transcript.ts';

/** Random 0: T1 and T2 are what the server gave. */
const exact = (): number => 0;
const fresh = (): Transcript => new Transcript({}, exact);

describe('BOUND', () => {
  test('nothing happens before T1, and messages mean nothing', () => {
    fresh()
      .bound()
      .hears(5, 'DHCPOFFER', {}, 'ignore unexpected-type')
      .hears(6, 'DHCPACK', {}, 'ignore unexpected-type')
      .hears(7, 'DHCPNAK', {}, 'ignore unexpected-type')
      .is('bound')
      .silent(1799);
  });

  test('T1 and T2 are spread, so that pods do not renew in step; the end is not moved', () => {
    const { state } = new Transcript({}, () => 0.5).bound();
    assert.ok(state.kind === 'bound');
    assert.deepEqual(state.lease.times, {
      renewAt: Transcript.at(1800 * (1 - 1 / 32)),
      rebindAt: Transcript.at(3150 * (1 - 1 / 32)),
      expiresAt: Transcript.at(3600),
    });
  });

  test('an infinite lease never wakes', () => {
    fresh()
      .bound({ options: { 'dhcp-lease-time': 0xffffffff } })
      .silentForEver();
  });
});

describe('RENEWING and REBINDING', () => {
  test('silence: half of the rest until T2, at least 60 s, then by broadcast until the end', () => {
    fresh()
      .bound()
      .wake(1800, `> REQUEST to ${SERVER}`)
      .is('renewing')
      .wake(2475, `> REQUEST to ${SERVER}`)
      .wake(2812.5, `> REQUEST to ${SERVER}`)
      .wake(2981.25, `> REQUEST to ${SERVER}`)
      .wake(3065.625, `> REQUEST to ${SERVER}`)
      .wake(3125.625, `> REQUEST to ${SERVER}`)
      .wake(3150, '> REQUEST')
      .is('rebinding')
      .wake(3375, '> REQUEST')
      .wake(3487.5, '> REQUEST')
      .wake(3547.5, '> REQUEST')
      .wake(3600, `withdraw ${ADDRESS}`, '> DISCOVER')
      .is('selecting')
      .stillWorks();
  });

  test('a lease of 10 s has room for a lost packet and ends on time', () => {
    fresh()
      .bound({ options: { 'dhcp-lease-time': 10 } })
      .wake(5, `> REQUEST to ${SERVER}`)
      .wake(6.875, `> REQUEST to ${SERVER}`)
      .wake(7.875, `> REQUEST to ${SERVER}`)
      .wake(8.75, '> REQUEST')
      .wake(9.75, '> REQUEST')
      .wake(10, `withdraw ${ADDRESS}`, '> DISCOVER')
      .stillWorks();
  });

  test('the REQUEST carries ciaddr and goes from the address', () => {
    const t = fresh().bound().wake(1800, `> REQUEST to ${SERVER}`);
    assert.equal(t.sent.ciaddr, ADDRESS);
    assert.equal(t.sent.secs, 0);
    t.wake(2475, `> REQUEST to ${SERVER}`);
    assert.equal(t.sent.secs, 675);
    const [effect] = t.last;
    assert.ok(effect?.type === 'send');
    assert.equal(effect.via.from, ADDRESS);
  });

  test('each try has its own xid, and the lease counts from the one that was answered', () => {
    let draws = 0;
    const t = new Transcript({}, () => (draws++ % 1000) / 1000).bound();
    t.now = t.due;
    t.does({ type: 'wake' }, `> REQUEST to ${SERVER}`);
    const first = t.xid;
    t.now = t.due;
    t.does({ type: 'wake' }, `> REQUEST to ${SERVER}`);
    assert.notEqual(t.xid, first);
    const askedAt = t.now;
    t.does({ type: 'message', message: reply('DHCPACK', first) }, 'ignore wrong-xid');
    t.does({ type: 'message', message: reply('DHCPACK', t.xid) }, `extend ${ADDRESS}`);
    assert.ok(t.state.kind === 'bound');
    assert.equal(t.state.lease.acquiredAt, askedAt);
  });

  test('a lease that the server shortens meanwhile is not over on arrival', () => {
    fresh()
      .bound()
      .wake(1800, `> REQUEST to ${SERVER}`)
      .wake(2475, `> REQUEST to ${SERVER}`)
      .hears(2475.1, 'DHCPACK', { options: { 'dhcp-lease-time': 300 } }, `extend ${ADDRESS}`)
      .silent(2625)
      .wake(2625, `> REQUEST to ${SERVER}`);
  });

  test('an ACK extends: the times count from the renewal', () => {
    const t = fresh()
      .bound()
      .wake(1800, `> REQUEST to ${SERVER}`)
      .hears(1800.5, 'DHCPACK', {}, `extend ${ADDRESS}`)
      .is('bound');
    assert.ok(t.state.kind === 'bound');
    assert.equal(t.state.lease.times?.expiresAt, Transcript.at(5400));
    t.wake(3600, `> REQUEST to ${SERVER}`);
  });

  test('an ACK without option 54 is from the server that gave the lease', () => {
    const t = fresh()
      .bound()
      .wake(1800, `> REQUEST to ${SERVER}`)
      .hears(1801, 'DHCPACK', { without: ['dhcp-server-identifier'] }, `extend ${ADDRESS}`);
    assert.ok(t.state.kind === 'bound');
    assert.equal(t.state.lease.serverId, SERVER);
  });

  test('an ACK of another server is taken, and that one is asked from then on', () => {
    fresh()
      .bound()
      .wake(1800, `> REQUEST to ${SERVER}`)
      .hears(1801, 'DHCPACK', { options: { 'dhcp-server-identifier': OTHER_SERVER } }, `extend ${ADDRESS}`)
      .wake(3600, `> REQUEST to ${OTHER_SERVER}`);
  });

  const changes: readonly (readonly [string, Reply])[] = [
    ['mask', { options: { 'subnet-mask': ipv4('255.255.0.0') } }],
    ['router', { options: { routers: [OTHER_SERVER] } }],
    ['MTU', { options: { 'interface-mtu': 1400 } }],
    ['name server', { options: { 'domain-name-servers': [OTHER_SERVER] } }],
    ['address', { yiaddr: OTHER_ADDRESS }],
  ];
  for (const [name, how] of changes) {
    test(`another ${name}: one install that replaces, and no moment without an address`, () => {
      const t = fresh().bound();
      assert.ok(t.state.kind === 'bound');
      const before = t.state.lease;
      t.wake(1800, `> REQUEST to ${SERVER}`).hears(
        1801,
        'DHCPACK',
        how,
        `install ${how.yiaddr ?? ADDRESS} for ${ADDRESS}`,
      );
      const [effect] = t.last;
      assert.ok(effect?.type === 'install');
      assert.equal(effect.replaces, before);
    });
  }

  test('who asked for one address does not take another at renewal', () => {
    new Transcript({ requestedAddress: ADDRESS }, exact)
      .bound()
      .wake(1800, `> REQUEST to ${SERVER}`)
      .hears(
        1801,
        'DHCPACK',
        { yiaddr: OTHER_ADDRESS },
        'ignore other-address',
        `not accepted ${OTHER_ADDRESS}`,
        `> RELEASE to ${SERVER}`,
      )
      .hears(1802, 'DHCPACK', {}, `extend ${ADDRESS}`);
  });

  test('an OFFER means nothing', () => {
    fresh()
      .bound()
      .wake(1800, `> REQUEST to ${SERVER}`)
      .hears(1801, 'DHCPOFFER', {}, 'ignore unexpected-type')
      .is('renewing')
      .hears(1802, 'DHCPACK', {}, `extend ${ADDRESS}`);
  });

  test('asleep past T1, T2 and the end (suspend): withdrawn at once', () => {
    const t = fresh().bound();
    t.now = Transcript.at(4000);
    t.does({ type: 'wake' }, `withdraw ${ADDRESS}`, '> DISCOVER').stillWorks();
  });

  test('asleep past T2: by broadcast at once', () => {
    const t = fresh().bound();
    t.now = Transcript.at(3200);
    t.does({ type: 'wake' }, '> REQUEST').is('rebinding');
  });
});
