import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Ipv4 } from '../../../src/base/ipv4.ts';
import { describeAcquisition, outcomeOf } from '../../../src/protocol/dhcp4/diagnosis.ts';
import { NO_HABIT } from '../../../src/protocol/dhcp4/habit.ts';
import type { Dhcp4Config } from '../../../src/protocol/dhcp4/state.ts';
import type { Objection } from '../../../src/protocol/dhcp4/step.ts';
import { MOST_TURNED_DOWN } from '../../../src/protocol/dhcp4/turned-down.ts';
import { ipv4 } from '../../../src/base/ipv4.ts';
import { ADDRESS, OTHER_ADDRESS, OTHER_SERVER, SERVER } from './messages.ts';
import { Transcript } from './transcript.ts';

const NODE: Objection = { reason: 'held-on-this-node', holder: 'the node itself', tellServer: true };
const TWIN: Objection = { reason: 'held-on-this-node', holder: 'pod twin of this node', tellServer: false };
const SEEN: Objection = { reason: 'in-conflict', holder: '02:00:5e:00:00:99', tellServer: true };
const OTHER = { yiaddr: OTHER_ADDRESS };
const elsewhere = { yiaddr: OTHER_ADDRESS, options: { 'dhcp-server-identifier': OTHER_SERVER } };
const exact = (): number => 0;

/** A client that must not take these addresses. */
function transcript(
  held: Readonly<Record<string, Objection>>,
  config: Partial<Dhcp4Config> = {},
  random: () => number = exact,
): Transcript {
  const t = new Transcript({ rapidCommit: false, ...config }, random);
  t.objectionTo = (address: Ipv4) => held[address];
  return t;
}

function account(t: Transcript) {
  assert.ok('acquisition' in t.state, t.state.kind);
  return t.state.acquisition;
}

describe('an OFFER that must not be taken', () => {
  test('is not asked for; what another server offers to the same DISCOVER is', () => {
    transcript({ [ADDRESS]: NODE })
      .start('> DISCOVER')
      .hears(0, 'DHCPOFFER', {}, 'ignore held-on-this-node', `turned down ${ADDRESS}`)
      .is('selecting')
      .hears(0.1, 'DHCPOFFER', elsewhere, '> REQUEST')
      .hears(0.1, 'DHCPACK', elsewhere, `install ${OTHER_ADDRESS}`);
  });

  test('heard twice is one; to the next DISCOVER it is insisted on: DECLINE, and ten seconds of silence', () => {
    const t = transcript({ [ADDRESS]: SEEN })
      .start('> DISCOVER')
      .hears(0, 'DHCPOFFER', {}, 'ignore in-conflict', `turned down ${ADDRESS}`)
      .hears(0, 'DHCPOFFER', {}, 'ignore in-conflict')
      .does({ type: 'link-up', verify: false });
    t.now = t.due;
    t.does({ type: 'wake' }, '> DISCOVER');
    t.does({ type: 'message', message: t.answer('DHCPOFFER') }, 'ignore in-conflict', '> DECLINE').is(
      'waiting',
    );
    assert.deepEqual(t.sent.options.get(50), Uint8Array.of(192, 168, 1, 50));
    assert.deepEqual(t.sent.options.get(54), Uint8Array.of(192, 168, 1, 1));
    assert.equal(t.due - t.now, 10_000);
    t.now = t.due;
    t.does({ type: 'wake' }, '> DISCOVER');
    t.does({ type: 'message', message: t.answer('DHCPOFFER', OTHER) }, '> REQUEST');
  });

  test('that belongs to the same client is never declined: the server gave it rightly', () => {
    const t = transcript({ [ADDRESS]: TWIN }).start('> DISCOVER');
    for (let turn = 0; turn < 6; turn++) {
      t.does(
        { type: 'message', message: t.answer('DHCPOFFER') },
        'ignore held-on-this-node',
        ...(turn === 0 ? [`turned down ${ADDRESS}`] : []),
      ).is('selecting');
      t.now = t.due;
      t.does({ type: 'wake' }, '> DISCOVER');
    }
    assert.equal(account(t).declines, 0);
  });

  test('is an answer all the same: nothing is at fault with the message, and the next pods ask as before', () => {
    const t = transcript({ [ADDRESS]: NODE }, { rapidCommit: true, clientIdOptional: true })
      .start('> DISCOVER')
      .hears(0, 'DHCPOFFER', {}, 'ignore held-on-this-node', `turned down ${ADDRESS}`);
    t.now = t.due;
    t.does({ type: 'wake' }, '> DISCOVER');
    t.does({ type: 'message', message: t.answer('DHCPOFFER', OTHER) }, '> REQUEST');
    assert.deepEqual(t.learned(t.state), NO_HABIT);
  });

  test('and then silence: the server has heard the client, which goes on to give its identifier', () => {
    const t = transcript({ [ADDRESS]: NODE }, { clientIdOptional: true })
      .start('> DISCOVER')
      .hears(0, 'DHCPOFFER', {}, 'ignore held-on-this-node', `turned down ${ADDRESS}`);
    for (let turn = 0; turn < 8; turn++) {
      t.now = t.due;
      t.does({ type: 'wake' }, '> DISCOVER');
      assert.ok(t.sent.options.has(61), `DISCOVER ${turn + 2}`);
    }
  });

  test('of a pool in which many are in use: the search goes on, however many were given before', () => {
    const t = transcript({}).start('> DISCOVER');
    const inUse = 3 * MOST_TURNED_DOWN;
    t.objectionTo = () => SEEN;
    // As dnsmasq does: the same address until it is declined, then the next.
    for (let given = 0; given < inUse;) {
      assert.ok(t.state.kind === 'selecting');
      const yiaddr = ipv4(`192.168.1.${10 + given}`);
      const { declines, discovers } = account(t);
      t.take({ type: 'message', message: t.answer('DHCPOFFER', { yiaddr }) });
      if (account(t).declines > declines) given += 1;
      assert.ok(discovers < 3 * inUse, `${yiaddr} is offered for ever`);
      t.now = t.due;
      t.take({ type: 'wake' });
    }
    assert.equal(account(t).declines, inUse);
  });

  test('and is wished for is not wished for again', () => {
    const t = transcript({}).does({ type: 'start', hint: ADDRESS }, '> DISCOVER');
    assert.ok(t.sent.options.has(50));
    t.objectionTo = () => NODE;
    t.hears(0, 'DHCPOFFER', {}, 'ignore held-on-this-node', `turned down ${ADDRESS}`);
    t.now = t.due;
    t.does({ type: 'wake' }, '> DISCOVER');
    assert.equal(t.sent.options.has(50), false);
  });

  test('ten DECLINEs in a row: one a minute from then on (RFC 5227 2.1.1)', () => {
    const t = transcript({ [ADDRESS]: NODE }).start('> DISCOVER');
    const pauses: number[] = [];
    while (pauses.length < 12) {
      t.take({ type: 'message', message: t.answer('DHCPOFFER') });
      if (t.state.kind === 'waiting') pauses.push(t.due - t.now);
      t.now = t.due;
      t.take({ type: 'wake' });
    }
    assert.deepEqual(pauses, [...Array.from({ length: 9 }, () => 10_000), 60_000, 60_000, 60_000]);
  });
});

describe('an ACK that must not be taken', () => {
  const said = ['ignore held-on-this-node', `turned down ${OTHER_ADDRESS}`, '> DECLINE'];

  test('in REQUESTING, of another address than the offered one: DECLINE, and a new search', () => {
    const t = transcript({ [OTHER_ADDRESS]: NODE })
      .start('> DISCOVER')
      .hears(0, 'DHCPOFFER', {}, '> REQUEST')
      .hears(0, 'DHCPACK', OTHER, ...said)
      .is('waiting');
    assert.deepEqual(t.sent.options.get(50), Uint8Array.of(192, 168, 1, 51));
    assert.equal(account(t).asked, undefined, 'nothing is held, so nothing is released');
    t.wake(10, '> DISCOVER').stillWorks();
  });

  test('in REBOOTING, and with rapid commit', () => {
    const t = transcript({ [OTHER_ADDRESS]: NODE })
      .held(ADDRESS)
      .start('> REQUEST');
    t.hears(0, 'DHCPACK', OTHER, ...said).wake(10, '> DISCOVER');
    const rapid = { yiaddr: OTHER_ADDRESS, options: { 'rapid-commit': true } } as const;
    transcript({ [OTHER_ADDRESS]: NODE }, { rapidCommit: true })
      .start('> DISCOVER')
      .hears(0, 'DHCPACK', rapid, ...said)
      .is('waiting');
  });

  test('INIT-REBOOT does not ask for one', () => {
    const t = transcript({ [ADDRESS]: NODE })
      .held(ADDRESS)
      .start('> DISCOVER');
    assert.equal(t.sent.options.has(50), false);
    const named = transcript({ [ADDRESS]: NODE }, { requestedAddress: ADDRESS }).start('> DISCOVER');
    assert.equal(named.sent.options.has(50), true, 'the only one that would do may become free');
  });

  test('in RENEWING, REBINDING and while the lease is verified: what is in use stays in use, one DECLINE', () => {
    for (const [at, request] of [
      [1800, `> REQUEST to ${SERVER}`],
      [3200, '> REQUEST'],
      [60, '> REQUEST'],
    ] as const) {
      let drawn = 0;
      const t = transcript({ [OTHER_ADDRESS]: NODE }, {}, () => (++drawn % 7) / 1000).bound();
      t.now = Transcript.at(at);
      t.does(at === 60 ? { type: 'link-up', verify: true } : { type: 'wake' }, request);
      const answer = t.answer('DHCPACK', OTHER);
      const { kind } = t.state;
      t.does({ type: 'message', message: answer }, ...said).is(kind);
      t.does({ type: 'message', message: answer }, 'ignore wrong-xid').is(kind);
      t.now = t.due;
      t.take({ type: 'wake' });
      t.does({ type: 'message', message: t.answer('DHCPACK') }, `extend ${ADDRESS}`).is('bound');
    }
  });

  test('the address that is in use was had first: it is extended whoever claims it now', () => {
    const t = transcript({}).bound();
    t.objectionTo = () => NODE;
    t.now = Transcript.at(1800);
    t.does({ type: 'wake' }, `> REQUEST to ${SERVER}`).hears(1800, 'DHCPACK', {}, `extend ${ADDRESS}`);
  });
});

function asText(t: Transcript): readonly [string, string] {
  return [outcomeOf(account(t)), describeAcquisition(account(t), t.now)];
}

describe('the account of a search', () => {
  test('goes on over conflicts while somebody waits, and names each address with its server and its holder', () => {
    const t = transcript({});
    t.start('> DISCOVER');
    for (const yiaddr of [ADDRESS, OTHER_ADDRESS]) {
      const how = { yiaddr };
      t.does({ type: 'message', message: t.answer('DHCPOFFER', how) }, '> REQUEST');
      t.account = account(t);
      t.does({ type: 'message', message: t.answer('DHCPACK', how) }, `install ${yiaddr}`);
      t.does({ type: 'conflict', holder: '02:00:5e:00:00:99' }, `withdraw ${yiaddr}`, '> DECLINE');
      t.now = t.due;
      t.does({ type: 'wake' }, '> DISCOVER');
    }
    assert.deepEqual(asText(t), [
      'unusable',
      'sent 3 DISCOVERs, 2 REQUESTs and 2 DECLINEs in 20 s; took 2 OFFERs; ' +
        `did not take ${ADDRESS} of ${SERVER}: 02:00:5e:00:00:99 has it; ` +
        `did not take ${OTHER_ADDRESS} of ${SERVER}: 02:00:5e:00:00:99 has it`,
    ]);
  });

  test('goes on over a NAK and over the end of a lease too', () => {
    const t = transcript({});
    t.start('> DISCOVER').hears(0, 'DHCPOFFER', {}, '> REQUEST');
    t.account = account(t);
    t.hears(0, 'DHCPACK', {}, `install ${ADDRESS}`);
    t.now = Transcript.at(60);
    t.does({ type: 'link-up', verify: true }, '> REQUEST').hears(
      60,
      'DHCPNAK',
      {},
      `withdraw ${ADDRESS}`,
      'refused',
      '> DISCOVER',
    );
    assert.match(
      asText(t)[1],
      /^sent 2 DISCOVERs and 1 REQUEST in 1 min; took 1 OFFER; was refused by 1 NAK of /,
    );
    const late = transcript({});
    late.start('> DISCOVER').hears(0, 'DHCPOFFER', {}, '> REQUEST');
    late.account = account(late);
    late.hears(0, 'DHCPACK', {}, `install ${ADDRESS}`);
    late.now = Transcript.at(3600);
    late.does({ type: 'wake' }, `withdraw ${ADDRESS}`, '> DISCOVER');
    assert.equal(account(late).discovers, 2);
  });

  test('begins anew where nobody waits', () => {
    const t = transcript({}).bound().does({ type: 'conflict' }, `withdraw ${ADDRESS}`, '> DECLINE');
    assert.deepEqual([account(t).discovers, account(t).declines], [0, 1]);
  });

  test('says how often, and names so many addresses and no more', () => {
    const t = transcript({});
    t.objectionTo = () => TWIN;
    t.start('> DISCOVER');
    for (let last = 50; last < 50 + 2 * MOST_TURNED_DOWN; last++) {
      t.take({ type: 'message', message: t.answer('DHCPOFFER', { yiaddr: ipv4(`192.168.1.${last}`) }) });
    }
    t.now = t.due;
    t.take({ type: 'wake' });
    t.take({ type: 'message', message: t.answer('DHCPOFFER') });
    assert.equal(account(t).turnedDown.length, MOST_TURNED_DOWN);
    assert.match(
      asText(t)[1],
      /did not take 192\.168\.1\.50 of 192\.168\.1\.1 \(2 times\): pod twin of this node has it/,
    );
  });
});
