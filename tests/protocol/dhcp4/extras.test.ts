import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Dhcp4Config } from '../../../src/protocol/dhcp4/state.ts';
import { NO_HABIT } from '../../../src/protocol/dhcp4/habit.ts';
import type { Dhcp4Message } from '../../../src/wire/dhcp4/message.ts';
import { Transcript, typeOf } from './transcript.ts';
import { served, serving } from './tripping-server.ts';

/** A pod with every extra there is: host name, vendor class, user class, FQDN, vendor options; a long identifier and list. */
const FULL: Partial<Dhcp4Config> = {
  clientId: `00${'61'.repeat(90)}`,
  clientIdOptional: true,
  parameterRequest: [1, 3, 6, 12, 15, 26, 33, 42, 119, 121, 249],
  send: { 12: '706f64', 60: '6c6162', 77: '6c6162', 81: '0000000370306400', 124: '0000000000' },
};

const carries = (message: Dhcp4Message, code: number): boolean => message.options.has(code);
const isDiscover = (message: Dhcp4Message): boolean => typeOf(message) === 'DISCOVER';
const listOf = (message: Dhcp4Message): readonly number[] => [...(message.options.get(55) ?? [])];

type Row = {
  readonly name: string;
  /** What the server does not take. */
  readonly trips: (message: Dhcp4Message) => boolean;
  /** The longest that the first pod waits, in seconds: the pauses between the tries. */
  readonly within: number;
  /** What the messages of later pods lack. */
  readonly lacks: readonly number[];
};

// The pauses are 0.25, 0.5, 1, 2 and 4 s, without jitter up to a quarter shorter or longer.
const ROWS: readonly Row[] = [
  { name: 'option 80', trips: (m) => carries(m, 80), within: 0.35, lacks: [80] },
  { name: 'a long list (55)', trips: (m) => listOf(m).length > 8, within: 1.3, lacks: [55] },
  { name: 'a list that names option 249', trips: (m) => listOf(m).includes(249), within: 1.3, lacks: [55] },
  { name: 'option 57', trips: (m) => carries(m, 57), within: 1.3, lacks: [57] },
  { name: 'option 81', trips: (m) => carries(m, 81), within: 2.6, lacks: [81] },
  { name: 'option 60', trips: (m) => carries(m, 60), within: 5, lacks: [60] },
  { name: 'option 77', trips: (m) => carries(m, 77), within: 5, lacks: [77] },
  { name: 'option 124', trips: (m) => carries(m, 124), within: 5, lacks: [124] },
  { name: 'a long option 61', trips: (m) => (m.options.get(61)?.length ?? 0) > 32, within: 10, lacks: [61] },
];

describe('a server that is silent to a message with one extra', () => {
  for (const { name, trips, within, lacks } of ROWS) {
    for (const [where, isMeant] of [
      ['in any message', () => true],
      ['in a DISCOVER', isDiscover],
    ] as const) {
      test(`${name} ${where}: served after some tries, and the next pods at once and with all else`, () => {
        const server = serving((message) => !(isMeant(message) && trips(message)));
        const first = served(server, { config: FULL });
        assert.ok(first.took <= within, `${first.took} s`);
        let { habit } = first;
        // Which one it is turns out with the next pods: each of them waits for a wrong guess once.
        let last = first;
        for (let pod = 0; pod < 8; pod++) {
          last = served(server, { config: FULL, habit });
          assert.ok(last.took < 0.75, `pod ${pod + 2}: ${last.took} s`);
          habit = last.habit;
        }
        assert.ok(last.took < 0.1, `${last.took} s`);
        assert.deepEqual(habit.first.leftOut, lacks);
        assert.equal(habit.first.broadcast, false);
      });
    }
  }

  test('one that takes everything is asked as it is configured, and nothing is learned', () => {
    const { took, sent, habit, lease } = served(
      serving(() => true),
      { config: FULL },
    );
    assert.ok(took < 0.1);
    assert.deepEqual(sent.map(typeOf), ['DISCOVER', 'REQUEST']);
    assert.deepEqual(habit, NO_HABIT);
    assert.equal(lease.leftOut, undefined);
  });

  test('a host name is in every message: reservations are bound to it', () => {
    const { sent } = served(
      serving((message) => !carries(message, 124)),
      { config: FULL },
    );
    assert.ok(sent.length > 4 && sent.every((message) => carries(message, 12)));
  });

  test('two extras at fault: served, and later pods wait no longer than for a wrong guess', () => {
    const server = serving((message) => !carries(message, 80) && !carries(message, 81));
    let { habit } = served(server, { config: FULL });
    let took = Infinity;
    for (let pod = 0; pod < 12; pod++) ({ habit, took } = served(server, { config: FULL, habit }));
    assert.ok(took < 0.1, `${took} s`);
  });

  test('the bit that a server needs is learned, and nothing else is left out for it', () => {
    const server = serving((message) => message.broadcast);
    let { habit } = served(server, { config: FULL });
    let took = Infinity;
    for (let pod = 0; pod < 6; pod++) ({ habit, took } = served(server, { config: FULL, habit }));
    assert.ok(took < 0.1, `${took} s`);
    assert.deepEqual(habit.first, { leftOut: [], broadcast: true });
  });

  test('a server that does not take the bit, beside one at fault that needs a second try', () => {
    const { took, sent } = served(
      serving((message) => !message.broadcast && !carries(message, 80)),
      { config: FULL },
    );
    assert.ok(took < 10, `${took} s`);
    assert.equal(sent.at(-1)?.broadcast, false);
  });

  test('what is configured of the bit is not changed', () => {
    for (const [broadcast, bit] of [
      ['always', true],
      ['never', false],
    ] as const) {
      const trips = serving((message) => !carries(message, 60));
      const { sent } = served(trips, { config: { ...FULL, broadcast } });
      assert.ok(sent.every((message) => message.broadcast === bit));
    }
  });

  test('a slow server teaches nothing: its answer is none to the last message', () => {
    for (const pingMs of [700, 3000, 6000]) {
      const { habit, sent, lease } = served(
        serving(() => true),
        { config: FULL, pingMs },
      );
      assert.deepEqual(habit, NO_HABIT, `${pingMs} ms`);
      assert.equal(lease.leftOut, undefined);
      const request = sent.find((message) => typeOf(message) === 'REQUEST');
      assert.deepEqual(request && listOf(request), FULL.parameterRequest, 'the first REQUEST asks for all');
    }
  });

  test('what was learned and is wrong now does not keep a pod from its address', () => {
    const wrong = { leftOut: [80, 55, 57, 81, 60, 77, 124], broadcast: false };
    const habit = { first: wrong, whole: wrong, request: wrong.leftOut, failed: 0 };
    const { took, lease } = served(
      serving((message) => carries(message, 60)),
      { config: FULL, habit },
    );
    assert.ok(took < 10, `${took} s`);
    assert.equal(lease.leftOut, undefined);
  });

  test('renewals, a RELEASE and a DECLINE lack what the REQUEST lacked', () => {
    const t = new Transcript({ ...FULL, rapidCommit: false }, () => 0);
    const lean = { leftOut: [61, 55], broadcast: false };
    t.does(
      { type: 'start', habit: { first: lean, whole: lean, request: [61, 55], failed: 0 } },
      '> DISCOVER',
    );
    assert.ok(!carries(t.sent, 61));
    t.hears(0, 'DHCPOFFER', {}, '> REQUEST').hears(0, 'DHCPACK', {}, 'install 192.168.1.50');
    assert.deepEqual(t.state.kind === 'bound' && t.state.lease.leftOut, [61, 55]);
    t.wake(1800, '> REQUEST to 192.168.1.1');
    assert.deepEqual([carries(t.sent, 61), listOf(t.sent)], [false, [1, 3, 15, 6]]);
    t.hears(1800, 'DHCPACK', {}, 'extend 192.168.1.50');
    const bound = t.state;
    t.does({ type: 'conflict' }, 'withdraw 192.168.1.50', '> DECLINE');
    assert.ok(!carries(t.sent, 61));
    t.wake(1810, '> DISCOVER');
    assert.ok(!carries(t.sent, 61), 'the same client goes on');
    t.state = bound;
    t.does({ type: 'release' }, '> RELEASE to 192.168.1.1', 'withdraw 192.168.1.50');
    assert.ok(!carries(t.sent, 61));
  });
});

describe('option 61, the identity', () => {
  const silentTo61 = serving((message) => !carries(message, 61));

  test('one that somebody chose is in every message, whatever happens', () => {
    const t = new Transcript({ ...FULL, clientIdOptional: false }).start('> DISCOVER');
    for (let i = 0; i < 12; i++) {
      assert.ok(carries(t.sent, 61));
      t.now = t.due;
      t.does({ type: 'wake' }, '> DISCOVER');
    }
    const lean = { leftOut: [61], broadcast: false };
    const other = new Transcript({ ...FULL, clientIdOptional: false });
    other.does(
      { type: 'start', habit: { first: lean, whole: lean, request: [61], failed: 0 } },
      '> DISCOVER',
    );
    assert.ok(carries(other.sent, 61), 'others need not have it');
  });

  test('who had an address keeps the name under which it had it', () => {
    const t = new Transcript(FULL).held('192.168.1.50' as never).start('> REQUEST');
    for (let i = 0; i < 15; i++) {
      assert.ok(carries(t.sent, 61));
      t.now = t.due;
      t.does({ type: 'wake' }, i < 2 ? '> REQUEST' : '> DISCOVER');
    }
  });

  test('without it a message is another transaction, and the REQUEST is of the client that was answered', () => {
    const { sent, lease } = served(silentTo61, { config: FULL });
    const xids = (has: boolean): ReadonlySet<number> =>
      new Set(sent.filter((message) => carries(message, 61) === has).map(({ xid }) => xid));
    assert.equal(xids(true).size, 1);
    assert.equal(xids(false).size, 1);
    assert.ok(
      sent.filter((message) => typeOf(message) === 'REQUEST').every((message) => !carries(message, 61)),
    );
    assert.deepEqual(lease.leftOut, [61]);
  });

  test('a late OFFER to a message with it is still taken, with it', () => {
    const slow = served(
      serving((message) => carries(message, 61)),
      { config: FULL, pingMs: 8000 },
    );
    assert.ok(
      slow.sent.some((message) => !carries(message, 61)),
      'it was tried without',
    );
    const request = slow.sent.find((message) => typeOf(message) === 'REQUEST');
    assert.ok(request !== undefined && carries(request, 61));
    assert.equal(slow.lease.leftOut, undefined);
  });
});

describe('an ACK to a DISCOVER without option 80 in it (RFC 4039 3)', () => {
  test('it is not taken, and the DISCOVER without option 80 goes out at once', () => {
    const t = new Transcript()
      .start('> DISCOVER')
      .hears(0.01, 'DHCPACK', {}, 'ignore rapid-ack-unmarked', '> DISCOVER');
    assert.ok(!carries(t.sent, 80));
    t.hears(0.01, 'DHCPACK', {}, 'ignore rapid-ack-unmarked').is('selecting').silent(0.5);
    t.hears(0.5, 'DHCPOFFER', {}, '> REQUEST').hears(0.5, 'DHCPACK', {}, 'install 192.168.1.50');
  });

  test('the next pod begins without option 80', () => {
    const t = new Transcript()
      .start('> DISCOVER')
      .hears(0.01, 'DHCPACK', {}, 'ignore rapid-ack-unmarked', '> DISCOVER')
      .hears(0.02, 'DHCPOFFER', {}, '> REQUEST');
    const before = t.state;
    t.hears(0.03, 'DHCPACK', {}, 'install 192.168.1.50');
    assert.deepEqual(t.learned(before).first, { leftOut: [80], broadcast: false });
  });
});
