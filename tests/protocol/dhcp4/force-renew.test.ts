import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import type { Ipv4 } from '../../../src/base/ipv4.ts';
import { ipv4 } from '../../../src/base/ipv4.ts';
import { EXTRA } from '../../../src/protocol/dhcp4/extras.ts';
import { FORCE_RENEW_REFUSALS, type ForceRenewRefusal } from '../../../src/protocol/dhcp4/force-renew.ts';
import { onForceRenew } from '../../../src/protocol/dhcp4/forced.ts';
import type { Nonce } from '../../../src/protocol/dhcp4/nonce.ts';
import { leaseOf } from '../../../src/protocol/dhcp4/state.ts';
import type { Dhcp4Effect, Dhcp4Event } from '../../../src/protocol/dhcp4/step.ts';
import { nonceAuthentication } from '../../../src/wire/dhcp4/authentication.ts';
import { parseDhcp4 } from '../../../src/wire/dhcp4/message.ts';
import { ADDRESS, OTHER_ADDRESS, OTHER_SERVER, OUR_MAC, type Reply, ROGUE_MAC, SERVER } from './messages.ts';
import { SERVER_MAC } from './messages.ts';
import { counter, forceRenew, hmacMd5, KEY, nonceOption, OTHER_KEY, type Signing } from './signed.ts';
import { Transcript } from './transcript.ts';

const CAPABLE: Reply = { options: { 'forcerenew-nonce-capable': [1] } };

function withNonce(key: Uint8Array, replay: number, how: Reply = {}): Reply {
  return { ...how, raw: { ...how.raw, authenticate: [...nonceOption(key, replay)] } };
}

function forcible(config: ConstructorParameters<typeof Transcript>[0] = {}): Transcript {
  const t = new Transcript({ rapidCommit: false, forceRenew: true, ...config });
  t.hmacMd5 = hmacMd5;
  return t;
}

/** BOUND, with the nonce KEY and the counter 5. */
function bound(config?: Parameters<typeof forcible>[0], how: Reply = {}): Transcript {
  return forcible(config)
    .start('> DISCOVER')
    .hears(
      0,
      'DHCPOFFER',
      { ...how, ...CAPABLE, options: { ...how.options, ...CAPABLE.options } },
      '> REQUEST',
    )
    .hears(0, 'DHCPACK', withNonce(KEY, 5, how), 'install 192.168.1.50');
}

const GOOD: Signing = { chaddr: OUR_MAC, server: SERVER, key: KEY, replay: 6 };

function heard(bytes: Uint8Array, to: Ipv4 = ADDRESS, from: Ipv4 = SERVER): Dhcp4Event {
  const message = parseDhcp4(bytes);
  assert.ok(message.ok);
  const source = { address: from, mac: SERVER_MAC };
  return { type: 'force-renew', heard: { message: message.value, bytes, source, to } };
}

/** Still as it was: nothing is sent, and the timer is that of before. */
function refuses(t: Transcript, event: Dhcp4Event, refusal: ForceRenewRefusal): void {
  const before = t.state;
  t.does(event, `force-renew ${refusal}`);
  assert.deepEqual(t.state, before);
}

function nonceOf(t: Transcript): Nonce | undefined {
  return leaseOf(t.state)?.nonce;
}

function renewed(t: Transcript, how: Reply): Transcript {
  t.take({ type: 'renew' });
  const message = t.answer('DHCPACK', how);
  t.take({ type: 'message', message, source: t.source });
  return t.is('bound');
}

describe('FORCERENEW (RFC 3203, RFC 6704)', () => {
  test('option 145 is in every DISCOVER and REQUEST, and in no RELEASE; option 90 in none', () => {
    const t = forcible();
    t.held(ADDRESS).start('> REQUEST');
    const messages = [t.sent];
    t.wake(0.25, '> REQUEST').wake(0.75, '> REQUEST').wake(1.75, '> DISCOVER');
    messages.push(t.sent);
    t.hears(1.75, 'DHCPOFFER', CAPABLE, '> REQUEST');
    messages.push(t.sent);
    t.hears(1.75, 'DHCPACK', withNonce(KEY, 5), 'install 192.168.1.50');
    t.does({ type: 'link-up', verify: true });
    t.now = t.due;
    t.does({ type: 'wake' }, '> REQUEST to 192.168.1.1');
    messages.push(t.sent);
    for (const { options } of messages) {
      assert.deepEqual([...(options.get(EXTRA.forceRenew) ?? [])], [1]);
      assert.equal(options.has(90), false);
    }
    t.does({ type: 'release' }, '> RELEASE to 192.168.1.1', 'withdraw 192.168.1.50');
    assert.equal(t.sent.options.has(EXTRA.forceRenew), false);
  });

  test('not configured, nothing is said and no nonce is taken', () => {
    const t = new Transcript({ rapidCommit: false }).bound(withNonce(KEY, 5));
    assert.equal(leaseOf(t.state)?.nonce, undefined);
    refuses(t, heard(forceRenew(GOOD)), 'no-nonce');
  });

  test('it is left out with option 80, in the second DISCOVER', () => {
    const t = forcible().start('> DISCOVER').wake(0.25, '> DISCOVER');
    assert.equal(t.sent.options.has(EXTRA.forceRenew), false);
    t.hears(0.26, 'DHCPOFFER', {}, '> REQUEST');
    assert.equal(t.sent.options.has(EXTRA.forceRenew), true, 'the REQUEST is whole');
    t.wake(0.51, '> REQUEST');
    assert.equal(t.sent.options.has(EXTRA.forceRenew), false);
    t.hears(0.52, 'DHCPACK', {}, 'install 192.168.1.50');
    assert.deepEqual(leaseOf(t.state)?.leftOut, [EXTRA.forceRenew], 'and so do the renewals');
  });

  test('an authenticated one renews at once, by unicast; the ACK brings what has changed', () => {
    const t = bound();
    t.silent(100)
      .does(heard(forceRenew(GOOD)), 'force-renew')
      .does({ type: 'renew' }, '> REQUEST to 192.168.1.1');
    t.is('renewing');
    assert.equal(t.sent.ciaddr, ADDRESS);
    const changed = { options: { 'domain-name-servers': [ipv4('192.168.1.9')] } };
    t.hears(100, 'DHCPACK', changed, 'install 192.168.1.50 for 192.168.1.50').is('bound');
    assert.deepEqual(leaseOf(t.state)?.dnsServers, ['192.168.1.9']);
    assert.deepEqual(leaseOf(t.state)?.nonce, { key: KEY.toHex(), replay: counter(6) }, 'the nonce goes on');
  });

  test('a NAK to that REQUEST: the address goes, and INIT (RFC 3203 2.2)', () => {
    const t = bound()
      .silent(100)
      .does(heard(forceRenew(GOOD)), 'force-renew');
    t.does({ type: 'renew' }, '> REQUEST to 192.168.1.1');
    t.hears(100, 'DHCPNAK', {}, 'withdraw 192.168.1.50', 'refused', '> DISCOVER').is('selecting');
    t.does(heard(forceRenew({ ...GOOD, replay: 7 })), 'force-renew no-lease').does({ type: 'renew' });
  });

  test('no answer: once more after 4 s, then as in every renewal', () => {
    const t = bound()
      .silent(100)
      .does(heard(forceRenew(GOOD)), 'force-renew');
    t.does({ type: 'renew' }, '> REQUEST to 192.168.1.1').wake(104, '> REQUEST to 192.168.1.1').silent(164);
  });

  test('in RENEWING, REBINDING and while a lease is verified it is heard as well', () => {
    const t = bound();
    t.now = t.due;
    t.does({ type: 'wake' }, '> REQUEST to 192.168.1.1').is('renewing');
    t.does(heard(forceRenew(GOOD)), 'force-renew').does({ type: 'renew' }, '> REQUEST to 192.168.1.1');
    for (let turns = 0; turns < 10 && t.state.kind === 'renewing'; turns++) {
      t.now = t.due;
      t.take({ type: 'wake' });
    }
    t.is('rebinding').does(heard(forceRenew({ ...GOOD, replay: 7 })), 'force-renew');
    t.does({ type: 'renew' }, '> REQUEST').is('rebinding');
    const verifying = bound().linkUp(100, true, '> REQUEST').is('verifying');
    verifying.does(heard(forceRenew(GOOD)), 'force-renew');
    verifying.does({ type: 'renew' }, '> REQUEST to 192.168.1.1').is('renewing');
  });

  test('a lease without an end is renewed too, and is good if nobody answers', () => {
    const t = bound({}, { options: { 'dhcp-lease-time': 0xffff_ffff } });
    t.silentForEver().does(heard(forceRenew(GOOD)), 'force-renew');
    t.does({ type: 'renew' }, '> REQUEST to 192.168.1.1');
    for (const at of [4, 12, 28]) t.wake(at, '> REQUEST to 192.168.1.1');
    t.wake(60).is('bound').silentForEver();
    t.does(heard(forceRenew({ ...GOOD, replay: 7 })), 'force-renew').does(
      { type: 'renew' },
      '> REQUEST to 192.168.1.1',
    );
    t.hears(60, 'DHCPACK', {}, 'extend 192.168.1.50').is('bound');
  });

  describe('not obeyed', () => {
    const servers = { servers: [SERVER] };
    const other = { kind: 'digest', replay: counter(9), value: KEY } as const;
    const delayed = nonceAuthentication(other).with(0, 1);
    type Case = readonly [string, Dhcp4Event, ForceRenewRefusal, Parameters<typeof forcible>[0]?];
    const cases: readonly Case[] = [
      ['unauthenticated', heard(forceRenew({ ...GOOD, key: undefined })), 'unauthenticated'],
      ['signed with another key', heard(forceRenew({ ...GOOD, key: OTHER_KEY })), 'forged'],
      ['the counter of the nonce', heard(forceRenew({ ...GOOD, replay: 5 })), 'replayed'],
      ['an earlier counter', heard(forceRenew({ ...GOOD, replay: 4 })), 'replayed'],
      ['of another server', heard(forceRenew({ ...GOOD, server: OTHER_SERVER })), 'foreign'],
      [
        'from none of the servers that are listed',
        heard(forceRenew(GOOD), ADDRESS, OTHER_SERVER),
        'foreign',
        servers,
      ],
      ['to another MAC address', heard(forceRenew({ ...GOOD, chaddr: ROGUE_MAC })), 'not-ours'],
      ['no reply', heard(forceRenew({ ...GOOD, fields: { op: 'request' } })), 'not-ours'],
      ['by broadcast', heard(forceRenew(GOOD), ipv4('255.255.255.255')), 'not-unicast'],
      ['to a group', heard(forceRenew(GOOD), ipv4('224.0.0.1')), 'not-unicast'],
      ['to another address', heard(forceRenew(GOOD), OTHER_ADDRESS), 'not-unicast'],
      [
        'with a nonce in the place of a digest',
        heard(forceRenew({ ...GOOD, key: undefined, options: { authenticate: nonceOption(KEY, 9) } })),
        'malformed',
      ],
      [
        'with a digest that is cut off',
        heard(
          forceRenew({
            ...GOOD,
            key: undefined,
            options: { authenticate: nonceAuthentication(other).subarray(0, 27) },
          }),
        ),
        'malformed',
      ],
      [
        'by another protocol of RFC 3118',
        heard(forceRenew({ ...GOOD, key: undefined, options: { authenticate: delayed } })),
        'unauthenticated',
      ],
    ];
    for (const [what, event, refusal, config] of cases) {
      test(what, () => refuses(bound(config).silent(100), event, refusal));
    }

    test('one bit of the message changed, each in turn', () => {
      const bytes = forceRenew(GOOD);
      const t = bound();
      assert.ok(t.state.kind === 'bound');
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const at = bit >>> 3;
        const changed = bytes.with(at, (bytes[at] ?? 0) ^ (1 << (bit & 7)));
        const message = parseDhcp4(changed);
        if (!message.ok) continue;
        const source = { address: SERVER, mac: SERVER_MAC };
        const heardOne = { message: message.value, bytes: changed, source, to: ADDRESS };
        const { effects } = onForceRenew(t.config, t.state, heardOne, t.env);
        const effect: Dhcp4Effect | undefined = effects[0];
        assert.ok(effect?.type === 'force-renew' && effect.refusal !== undefined, `bit ${bit}`);
      }
    });

    test('twice: the second one is a replay, also after the renewal', () => {
      const t = bound().does(heard(forceRenew(GOOD)), 'force-renew');
      refuses(t, heard(forceRenew(GOOD)), 'replayed');
      t.does({ type: 'renew' }, '> REQUEST to 192.168.1.1').hears(0, 'DHCPACK', {}, 'extend 192.168.1.50');
      refuses(t, heard(forceRenew(GOOD)), 'replayed');
      t.does(heard(forceRenew({ ...GOOD, replay: 7 })), 'force-renew');
    });

    test('any row of them: obeyed is what is signed, and newer than all that was obeyed', () => {
      const one = fc.record({
        replay: fc.integer({ min: 0, max: 40 }),
        signed: fc.boolean(),
        renewed: fc.boolean(),
      });
      fc.assert(
        fc.property(fc.array(one, { maxLength: 30 }), (row) => {
          const t = bound();
          let last = 5;
          for (const { replay, signed, renewed: isRenewed } of row) {
            const obeyed = signed && replay > last;
            const refusal = replay > last ? 'forged' : 'replayed';
            const event = heard(forceRenew({ ...GOOD, key: signed ? KEY : OTHER_KEY, replay }));
            t.does(event, obeyed ? 'force-renew' : `force-renew ${refusal}`);
            if (obeyed) last = replay;
            if (isRenewed) renewed(t, {});
            assert.equal(nonceOf(t)?.replay, counter(last));
          }
        }),
        { numRuns: 200 },
      );
    });

    test('without a nonce, and without MD5', () => {
      refuses(forcible().bound(), heard(forceRenew(GOOD)), 'no-nonce');
      const t = bound();
      t.hmacMd5 = undefined;
      refuses(t, heard(forceRenew(GOOD)), 'no-nonce');
    });

    test('without a lease', () => {
      const t = forcible().start('> DISCOVER');
      refuses(t, heard(forceRenew(GOOD)), 'no-lease');
    });

    test('each reason has words of its own', () => {
      assert.equal(
        new Set(Object.values(FORCE_RENEW_REFUSALS)).size,
        Object.keys(FORCE_RENEW_REFUSALS).length,
      );
    });
  });

  test('option 54 need not be in it: the nonce is that of one server', () => {
    bound().does(heard(forceRenew({ ...GOOD, server: undefined })), 'force-renew');
  });

  describe('the nonce', () => {
    test('a new one of a later ACK takes the place of the old one', () => {
      const t = renewed(bound(), withNonce(OTHER_KEY, 2));
      assert.deepEqual(nonceOf(t), { key: OTHER_KEY.toHex(), replay: counter(2) });
      refuses(t, heard(forceRenew(GOOD)), 'forged');
      t.does(heard(forceRenew({ ...GOOD, key: OTHER_KEY, replay: 3 })), 'force-renew');
    });

    test('the same one again does not take the counter back', () => {
      const t = bound().does(heard(forceRenew({ ...GOOD, replay: 8 })), 'force-renew');
      assert.deepEqual(nonceOf(renewed(t, withNonce(KEY, 5))), { key: KEY.toHex(), replay: counter(8) });
    });

    test('that of another server goes with the lease of the other one', () => {
      const t = renewed(bound(), { options: { 'dhcp-server-identifier': OTHER_SERVER } });
      assert.equal(nonceOf(t), undefined);
    });

    test('one that cannot be read is named, and the lease is good', () => {
      const t = renewed(bound(), { raw: { authenticate: [...nonceOption(OTHER_KEY, 9).subarray(0, 20)] } });
      assert.deepEqual(leaseOf(t.state)?.malformed, ['authenticate']);
      assert.deepEqual(nonceOf(t)?.key, KEY.toHex());
    });

    test('option 90 of another protocol is none of ours', () => {
      const t = renewed(bound(), { raw: { authenticate: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1] } });
      assert.deepEqual(leaseOf(t.state)?.malformed, []);
    });

    test('also by rapid commit and in INIT-REBOOT, where no OFFER has promised one', () => {
      const rapid = forcible({ rapidCommit: true }).start('> DISCOVER');
      const how = withNonce(KEY, 5, { options: { 'rapid-commit': true } });
      assert.equal(nonceOf(rapid.hears(0, 'DHCPACK', how, 'install 192.168.1.50'))?.key, KEY.toHex());
      const reboot = forcible().held(ADDRESS).start('> REQUEST');
      assert.equal(
        nonceOf(reboot.hears(0, 'DHCPACK', withNonce(KEY, 5), 'install 192.168.1.50'))?.key,
        KEY.toHex(),
      );
    });

    test('promised and not in the ACK: that is discarded, INIT, and option 145 is not sent again', () => {
      const t = forcible().start('> DISCOVER').hears(0, 'DHCPOFFER', CAPABLE, '> REQUEST');
      t.hears(0, 'DHCPACK', {}, 'ignore no-nonce', '> DISCOVER').is('selecting');
      assert.equal(t.sent.options.has(EXTRA.forceRenew), false);
      // The server goes on as it is: a pod gets its address all the same.
      t.hears(0, 'DHCPOFFER', CAPABLE, '> REQUEST').hears(0, 'DHCPACK', {}, 'install 192.168.1.50');
      assert.deepEqual(leaseOf(t.state)?.leftOut, [EXTRA.forceRenew]);
    });

    test('what was discarded is given back when nothing else comes', () => {
      const t = forcible().start('> DISCOVER').hears(0, 'DHCPOFFER', CAPABLE, '> REQUEST');
      t.hears(0, 'DHCPACK', {}, 'ignore no-nonce', '> DISCOVER');
      t.does({ type: 'release' }, '> RELEASE to 192.168.1.1');
    });

    test('an OFFER that promises only an algorithm of the future promises nothing', () => {
      const how = { options: { 'forcerenew-nonce-capable': [2] } };
      const t = forcible().start('> DISCOVER').hears(0, 'DHCPOFFER', how, '> REQUEST');
      t.hears(0, 'DHCPACK', {}, 'install 192.168.1.50');
    });
  });
});
