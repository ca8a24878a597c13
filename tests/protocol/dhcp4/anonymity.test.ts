import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { toHex } from '../../../src/base/bytes.ts';
import { IPV4_ANY } from '../../../src/base/ipv4.ts';
import { macToBytes } from '../../../src/base/mac.ts';
import { ANONYMOUS_REQUEST, anonymized } from '../../../src/protocol/dhcp4/anonymity.ts';
import type { Dhcp4Config } from '../../../src/protocol/dhcp4/state.ts';
import type { Dhcp4Message } from '../../../src/wire/dhcp4/message.ts';
import { happening, last, seeds } from './happenings.ts';
import { ADDRESS, CONFIG, OTHER_ADDRESS, OUR_MAC } from './messages.ts';
import { Transcript, typeOf } from './transcript.ts';
import { Watched } from './watched.ts';

/** RFC 7844 3: what MUST be in a message, and what MAY. */
const BY_TYPE: Readonly<
  Record<string, { readonly must: readonly number[]; readonly may: readonly number[] }>
> = {
  DISCOVER: { must: [53], may: [61, 55] },
  REQUEST: { must: [53], may: [61, 55, 50, 54] },
  DECLINE: { must: [53, 54, 50], may: [61] },
  RELEASE: { must: [53, 54], may: [61] },
};
const ANONYMOUS: Partial<Dhcp4Config> = {
  anonymous: true,
  clientId: `01${toHex(macToBytes(OUR_MAC))}`,
  parameterRequest: ANONYMOUS_REQUEST,
  // As if something had slipped through the configuration.
  send: Object.fromEntries(
    [12, 43, 60, 77, 81, 90, 93, 94, 97, 124, 125, 145, 224].map((code) => [code, '6162']),
  ),
  rapidCommit: true,
};

function assertSaysLittle(message: Dhcp4Message): void {
  const type = typeOf(message);
  const rule = BY_TYPE[type];
  assert.ok(rule !== undefined, type);
  const codes = [...message.options.keys()];
  for (const code of rule.must) assert.ok(codes.includes(code), `${type} has ${code}`);
  for (const code of codes) assert.ok([...rule.must, ...rule.may].includes(code), `${type} says ${code}`);
  const list = [...(message.options.get(55) ?? [])];
  if (list.includes(3) && list.includes(121)) assert.ok(list.indexOf(121) < list.indexOf(3), 'RFC 3442');
}

/** In [0, 1), another one each time, and the same in each run. */
function numbers(): () => number {
  let seed = 1;
  return () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
}

function anonymous(): Transcript {
  return new Transcript(ANONYMOUS, numbers());
}

describe('what an anonymous client sends (RFC 7844 3)', () => {
  test('in a lease from its first message to its last', () => {
    const t = anonymous().start('> DISCOVER');
    assertSaysLittle(t.sent);
    t.hears(0, 'DHCPOFFER', {}, '> REQUEST');
    assertSaysLittle(t.sent);
    assert.ok(t.sent.options.has(50) && t.sent.options.has(54), 'MUST, in response to an OFFER');
    t.hears(0, 'DHCPACK', {}, `install ${ADDRESS}`);
    t.now = t.due;
    t.does({ type: 'wake' }, `> REQUEST to 192.168.1.1`);
    assertSaysLittle(t.sent);
    assert.equal(t.sent.ciaddr, ADDRESS, 'obtained with this link-layer address (3.2)');
    t.does({ type: 'release' }, '> RELEASE to 192.168.1.1', `withdraw ${ADDRESS}`);
    assertSaysLittle(t.sent);
    assert.deepEqual(
      [...t.sent.options.keys()].toSorted((a, b) => a - b),
      [53, 54, 61],
      'no text for the log of the server',
    );
  });

  test('a DECLINE', () => {
    const t = anonymous().bound().does({ type: 'conflict' }, `withdraw ${ADDRESS}`, '> DECLINE');
    assertSaysLittle(t.sent);
  });

  test('whatever happens', () => {
    fc.assert(
      fc.property(last, seeds, fc.array(happening, { maxLength: 60 }), (was, seed, story) => {
        const client = new Watched({ ...CONFIG, ...ANONYMOUS }, seed, was);
        client.onSent = (message) => {
          assertSaysLittle(message);
          const isDiscover = typeOf(message) === 'DISCOVER';
          assert.ok(!isDiscover || !message.options.has(50), 'RFC 7844 3.3');
        };
        client.take({ type: 'start', hint: OTHER_ADDRESS });
        for (const what of story) client.happen(what);
        client.take({ type: 'release' });
      }),
      { numRuns: 500 },
    );
  });
});

describe('no address of before is asked for (RFC 7844 3.3)', () => {
  test('INIT with an address that was held: DISCOVER, without a wish', () => {
    const t = anonymous().held(OTHER_ADDRESS).start('> DISCOVER');
    assert.ok(!t.sent.options.has(50));
  });

  test('nor one that somebody remembers', () => {
    const t = anonymous();
    t.does({ type: 'start', hint: OTHER_ADDRESS }, '> DISCOVER');
    assert.ok(!t.sent.options.has(50));
  });

  test('after a lease that ended, or was refused: without a wish', () => {
    const t = anonymous().bound();
    t.now = Transcript.at(4000);
    t.does({ type: 'wake' }, `withdraw ${ADDRESS}`, '> DISCOVER');
    assert.ok(!t.sent.options.has(50));
  });

  test('a link that was away for long: it may be another network, so it begins anew, with ciaddr zero (3.2)', () => {
    const t = anonymous().bound().linkUp(100, true, `withdraw ${ADDRESS}`, '> DISCOVER').is('selecting');
    assert.ok(!t.sent.options.has(50));
    assert.equal(t.sent.ciaddr, IPV4_ANY);
  });

  test('one that was away for a moment: the lease stays', () => {
    anonymous().bound().linkUp(100, false).is('bound');
  });
});

function aDiscover(): Dhcp4Message {
  return new Transcript(ANONYMOUS).start('> DISCOVER').sent;
}

describe('orders', () => {
  test('of the options and of the list are random (RFC 7844 3.1, 3.6), of each about as often', () => {
    const random = numbers();
    const options = new Map<string, number>();
    const lists = new Map<string, number>();
    const TRIES = 6000;
    for (let i = 0; i < TRIES; i++) {
      const { options: sent } = anonymized(aDiscover(), random);
      const order = [...sent.keys()].join(' ');
      const list = [...(sent.get(55) ?? [])].join(' ');
      options.set(order, (options.get(order) ?? 0) + 1);
      lists.set(list, (lists.get(list) ?? 0) + 1);
    }
    assert.equal(options.size, 6, 'three options in all orders');
    for (const [order, count] of options)
      assert.ok(Math.abs(count - TRIES / 6) < TRIES / 24, `${order}: ${count}`);
    assert.equal(lists.size, 60, 'five codes, of which 121 comes before 3');
    for (const [list, count] of lists) assert.ok(count > TRIES / 120, `${list}: ${count}`);
  });

  test('the list is the same set in each message, and 121 comes before 3 and 33 (RFC 3442)', () => {
    const random = numbers();
    const withOld = {
      ...aDiscover(),
      options: new Map([
        [53, Uint8Array.of(1)],
        [55, Uint8Array.of(33, 3, 1, 121)],
      ]),
    };
    for (let i = 0; i < 200; i++) {
      const list = [...(anonymized(withOld, random).options.get(55) ?? [])];
      assert.deepEqual(
        list.toSorted((a, b) => a - b),
        [1, 3, 33, 121],
      );
      assert.ok(list.indexOf(121) < Math.min(list.indexOf(3), list.indexOf(33)), String(list));
    }
  });
});
