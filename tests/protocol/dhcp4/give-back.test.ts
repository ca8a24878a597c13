import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4, type Ipv4 } from '../../../src/base/ipv4.ts';
import { transactionOf } from '../../../src/protocol/dhcp4/client.ts';
import { describeAcquisition, outcomeOf } from '../../../src/protocol/dhcp4/diagnosis.ts';
import { MOST_RETURNED } from '../../../src/protocol/dhcp4/state.ts';
import type { Objection } from '../../../src/protocol/dhcp4/step.ts';
import { BAD, refusal } from './bad-answers.ts';
import {
  ADDRESS,
  HELD_ADDRESS,
  net,
  OF_SERVER,
  OTHER_ADDRESS,
  OTHER_SERVER,
  reply,
  type Reply,
  ROGUE_MAC,
  SERVER,
  SERVER_MAC,
} from './messages.ts';
import { Transcript } from './transcript.ts';

const exact = (): number => 0;
const PROTECTED = net('10.96.0.0/12');
const INSIDE = ipv4('10.96.0.7');
/** What all servers of such a network give. */
const BAD_LEASE: Reply = { yiaddr: INSIDE };
const SAID = ['ignore protected-network', `not accepted ${INSIDE}`, `> RELEASE to ${SERVER}`];
const RAPID = { 'rapid-commit': true } as const;
const NODE: Objection = { reason: 'held-on-this-node', holder: 'the node itself', tellServer: true };
const TWIN: Objection = { reason: 'held-on-this-node', holder: 'pod twin of this node', tellServer: false };

function rapid(how: Reply): Reply {
  return { ...how, options: { ...how.options, ...RAPID } };
}

function transcript(): Transcript {
  const t = new Transcript({}, exact);
  t.protect = [PROTECTED];
  return t;
}

function account(t: Transcript) {
  assert.ok('acquisition' in t.state, t.state.kind);
  return t.state.acquisition;
}

/** Of the messages of the last step: type, ciaddr, options 50 and 54, and where they go. */
function told(t: Transcript) {
  const sends = t.last.flatMap((effect) => (effect.type === 'send' && !effect.reply ? [effect] : []));
  assert.equal(sends.length, 1);
  const [send] = sends;
  assert.ok(send !== undefined);
  const { ciaddr, options } = send.message;
  return { ciaddr, wish: options.get(50), server: options.get(54), id: options.get(61), via: send.via };
}

describe('an ACK to a DISCOVER (rapid commit, RFC 4039) that is not accepted', () => {
  for (const bad of BAD) {
    const { name, how, reason, fate } = bad;
    test(`${name}: ${reason}`, () => {
      const t = transcript().start('> DISCOVER');
      const message = t.answer('DHCPACK', rapid(how));
      const next = fate === 'nothing' || fate === 'released' ? ['> DISCOVER'] : [];
      t.does({ type: 'message', message, source: OF_SERVER }, ...refusal(bad), ...next);
      if (next.length > 0) {
        const sent = t.last.flatMap((effect) => (effect.type === 'send' ? [effect.message] : [])).at(-1);
        assert.equal(sent?.options.has(80), false, 'the DISCOVER after it does not offer rapid commit');
      }
      t.stillWorks();
    });
  }

  test('the RELEASE is of the address, to the server, where the ACK came from, under the same identity', () => {
    const t = transcript().start('> DISCOVER');
    const id = t.sent.options.get(61);
    t.hears(0, 'DHCPACK', rapid(BAD_LEASE), ...SAID, '> DISCOVER');
    const via = { kind: 'unicast', from: INSIDE, to: SERVER, hop: SERVER_MAC };
    const server = Uint8Array.of(192, 168, 1, 1);
    assert.deepEqual(told(t), { ciaddr: INSIDE, wish: undefined, server, id, via });
  });

  test('the DECLINE is to all: nobody can use the address', () => {
    const t = transcript().start('> DISCOVER');
    const end = ipv4('192.168.1.255');
    t.hears(
      0,
      'DHCPACK',
      rapid({ yiaddr: end }),
      'ignore bad-address',
      `not accepted ${end}`,
      '> DECLINE',
    ).is('waiting');
    assert.deepEqual(told(t).wish, Uint8Array.of(192, 168, 1, 255));
    assert.equal(told(t).via.kind, 'broadcast');
    assert.equal(t.due - t.now, 10_000);
  });

  test('of a server that is not allowed: its word is nothing, and it is told nothing', () => {
    const t = new Transcript({ servers: [OTHER_SERVER] }, exact).start('> DISCOVER');
    t.hears(0, 'DHCPACK', rapid({}), 'ignore server-not-allowed').is('selecting');
  });

  test('of an address that somebody else has: DECLINE, or nothing where that is the same client', () => {
    for (const [objection, said] of [
      [NODE, ['> DECLINE']],
      [TWIN, []],
    ] as const) {
      const t = transcript();
      t.objectionTo = (address: Ipv4) => (address === INSIDE ? objection : undefined);
      t.start('> DISCOVER')
        .hears(0, 'DHCPACK', rapid(BAD_LEASE), 'ignore held-on-this-node', `turned down ${INSIDE}`, ...said)
        .is('waiting');
    }
  });

  test('heard twice it is given back once, and the answer of another server to the same DISCOVER is taken', () => {
    transcript()
      .start('> DISCOVER')
      .hears(0, 'DHCPACK', rapid(BAD_LEASE), ...SAID, '> DISCOVER')
      .hears(0, 'DHCPACK', rapid(BAD_LEASE), 'ignore protected-network')
      .hears(
        0.1,
        'DHCPACK',
        { yiaddr: OTHER_ADDRESS, options: { ...RAPID, 'dhcp-server-identifier': OTHER_SERVER } },
        `install ${OTHER_ADDRESS}`,
      );
  });

  test('each server of several hears of its own, and a flood of them is no flood of RELEASEs', () => {
    const t = transcript().start('> DISCOVER');
    for (let n = 0; n < 3 * MOST_RETURNED; n++) {
      const server = ipv4(`192.168.1.${100 + n}`);
      const how = rapid({ ...BAD_LEASE, options: { 'dhcp-server-identifier': server } });
      const [ignored, refused] = SAID;
      assert.ok(ignored !== undefined && refused !== undefined);
      const said = n < MOST_RETURNED ? [ignored, refused, `> RELEASE to ${server}`] : [ignored];
      t.hears(0, 'DHCPACK', how, ...said, ...(n === 0 ? ['> DISCOVER'] : []));
    }
    assert.equal(account(t).releases, MOST_RETURNED);
    t.stillWorks();
  });

  test('what grants nothing is spoken of so often and no more, too', () => {
    const t = transcript().start('> DISCOVER');
    for (let n = 0; n < 3 * MOST_RETURNED; n++) {
      const yiaddr = ipv4(`239.1.2.${n}`);
      const said = n < MOST_RETURNED ? [`not accepted ${yiaddr}`] : [];
      t.hears(
        0,
        'DHCPACK',
        rapid({ yiaddr }),
        'ignore bad-address',
        ...said,
        ...(n === 0 ? ['> DISCOVER'] : []),
      );
    }
    assert.equal(account(t).releases, 0);
    t.stillWorks();
  });

  test('rapid commit is not offered again in this search', () => {
    const t = transcript()
      .start('> DISCOVER')
      .hears(0, 'DHCPACK', rapid(BAD_LEASE), ...SAID, '> DISCOVER')
      .hears(0, 'DHCPOFFER', {}, '> REQUEST')
      .hears(0, 'DHCPNAK', {}, 'refused', '> DISCOVER');
    assert.equal(t.sent.options.has(80), false);
  });

  test('the diagnosis names what was given back, and to whom', () => {
    const t = transcript()
      .start('> DISCOVER')
      .hears(0, 'DHCPACK', rapid(BAD_LEASE), ...SAID, '> DISCOVER');
    assert.equal(outcomeOf(account(t)), 'unusable');
    assert.match(
      describeAcquisition(account(t), t.now),
      /^sent 2 DISCOVERs and 1 RELEASE in 0 ms; gave back 10\.96\.0\.7 of 192\.168\.1\.1; ignored 1 message: yiaddr lies in/,
    );
  });
});

describe('an ACK to a REQUEST that is not accepted', () => {
  test('in REQUESTING: given back, and sought anew at once, later after 1, 2, 4 s', () => {
    const t = transcript().start('> DISCOVER');
    const pauses: number[] = [];
    for (let turn = 0; turn < 4; turn++) {
      t.does({ type: 'message', message: t.answer('DHCPOFFER') }, '> REQUEST');
      const message = t.answer('DHCPACK', BAD_LEASE);
      t.does({ type: 'message', message }, ...SAID, ...(turn === 0 ? ['> DISCOVER'] : []));
      if (t.state.kind !== 'waiting') continue;
      pauses.push(t.due - t.now);
      t.now = t.due;
      t.does({ type: 'wake' }, '> DISCOVER');
    }
    assert.deepEqual(pauses, [750, 1500, 3000], 'a quarter less than that: see `exact`');
    assert.equal(account(t).asked, undefined, 'nothing is held, so nothing is released at the end');
    t.stillWorks();
  });

  test('in REBOOTING: given back, and not wished for any longer', () => {
    const t = transcript()
      .held(INSIDE)
      .start('> REQUEST')
      .hears(0, 'DHCPACK', BAD_LEASE, ...SAID, '> DISCOVER');
    assert.equal(account(t).hint, undefined);
    t.stillWorks();
  });

  test('in RENEWING, REBINDING and while it is verified: the lease in use stays, and a good answer is still taken', () => {
    for (const [at, request] of [
      [1800, `> REQUEST to ${SERVER}`],
      [3200, '> REQUEST'],
      [60, '> REQUEST'],
    ] as const) {
      const t = transcript().bound();
      t.now = Transcript.at(at);
      t.does(at === 60 ? { type: 'link-up', verify: true } : { type: 'wake' }, request);
      const { kind } = t.state;
      t.hears(at, 'DHCPACK', BAD_LEASE, ...SAID).is(kind);
      t.hears(at, 'DHCPACK', { yiaddr: ipv4('10.96.0.8') }, 'ignore protected-network').is(kind);
      t.hears(at, 'DHCPACK', {}, `extend ${ADDRESS}`).is('bound');
    }
  });

  test('what is wrong with the answer for the address in use is no reason to give that back', () => {
    const t = transcript().bound().wake(1800, `> REQUEST to ${SERVER}`);
    t.hears(1800, 'DHCPACK', { options: { 'dhcp-lease-time': 0 } }, 'ignore zero-lease-time').is('renewing');
  });

  test('an answer of another machine for the same server: the RELEASE goes where it came from', () => {
    const t = transcript().start('> DISCOVER').hears(0, 'DHCPOFFER', {}, '> REQUEST');
    t.source = { address: SERVER, mac: ROGUE_MAC, holder: undefined };
    t.hears(0, 'DHCPACK', BAD_LEASE, ...SAID, '> DISCOVER');
    const { via } = told(t);
    assert.ok(via.kind === 'unicast');
    assert.equal(via.hop, ROGUE_MAC);
  });
});

/** By rapid commit. */
function bound(how: Reply = {}): Transcript {
  return new Transcript({}, exact)
    .start('> DISCOVER')
    .hears(0, 'DHCPACK', rapid(how), `install ${ADDRESS}`)
    .is('bound');
}

/** A message to the DISCOVER. */
function hears(t: Transcript, xid: number, how: Reply, ...expected: readonly string[]): void {
  t.does({ type: 'message', message: reply('DHCPACK', xid, how), source: OF_SERVER }, ...expected);
}

/** The transaction of the DISCOVER. */
function xidOf(t: Transcript): number {
  const xid = transactionOf(t.state);
  assert.ok(xid !== undefined);
  return xid;
}

describe('a server that commits a lease while that of another one is in use', () => {
  const from = { 'dhcp-server-identifier': OTHER_SERVER } as const;
  const other: Reply = { yiaddr: OTHER_ADDRESS, options: { ...from, ...RAPID } };
  const back = ['ignore other-server', `not accepted ${OTHER_ADDRESS}`, `> RELEASE to ${OTHER_SERVER}`];

  test('hears a RELEASE within four seconds, once; the lease in use is left alone', () => {
    const t = bound();
    const xid = xidOf(t);
    t.silent(3.5);
    hears(t, xid, other, ...back);
    hears(t, xid, other, 'ignore unexpected-type');
    t.is('bound').wake(4);
    assert.equal(transactionOf(t.state), undefined);
    hears(t, xid, { ...other, yiaddr: HELD_ADDRESS }, 'ignore unexpected-type');
    t.wake(1800, `> REQUEST to ${SERVER}`);
  });

  test('of an address that cannot be used here, too', () => {
    const t = bound();
    t.protect = [PROTECTED];
    const said = ['ignore protected-network', `not accepted ${INSIDE}`, `> RELEASE to ${OTHER_SERVER}`];
    hears(t, xidOf(t), { ...other, yiaddr: INSIDE }, ...said);
  });

  test('hears nothing of the address in use (failover), of one of this node, and of what is no rapid commit', () => {
    const t = bound();
    const xid = xidOf(t);
    t.objectionTo = (address: Ipv4) => (address === HELD_ADDRESS ? NODE : undefined);
    hears(t, xid, { ...other, yiaddr: ADDRESS }, 'ignore unexpected-type');
    hears(t, xid, { ...other, yiaddr: HELD_ADDRESS }, 'ignore unexpected-type');
    hears(t, xid, { yiaddr: OTHER_ADDRESS, options: from }, 'ignore unexpected-type');
    hears(t, xid ^ 1, other, 'ignore unexpected-type');
  });

  test('a flood of servers is no flood of RELEASEs', () => {
    const t = bound();
    const xid = xidOf(t);
    for (let n = 0; n < 3 * MOST_RETURNED; n++) {
      const server = ipv4(`192.168.1.${100 + n}`);
      const how = rapid({ yiaddr: OTHER_ADDRESS, options: { 'dhcp-server-identifier': server } });
      const [ignored, refused] = back;
      assert.ok(ignored !== undefined && refused !== undefined);
      const few = [ignored, refused, `> RELEASE to ${server}`];
      hears(t, xid, how, ...(n < MOST_RETURNED ? few : ['ignore unexpected-type']));
    }
  });

  test('is not waited for past T1, and after an exchange of four messages not at all', () => {
    const short = { 'dhcp-lease-time': 2 };
    bound({ options: short }).wake(1, `> REQUEST to ${SERVER}`).is('renewing');
    assert.equal(transactionOf(new Transcript({}, exact).bound().state), undefined);
  });
});

describe('a server that has committed a lease while another one was chosen', () => {
  const from = { 'dhcp-server-identifier': OTHER_SERVER } as const;
  const other: Reply = { yiaddr: OTHER_ADDRESS, options: { ...from, ...RAPID } };
  const back = ['ignore other-server', `not accepted ${OTHER_ADDRESS}`, `> RELEASE to ${OTHER_SERVER}`];

  test('hears a RELEASE, and the chosen one is waited for', () => {
    new Transcript()
      .start('> DISCOVER')
      .hears(0, 'DHCPOFFER', {}, '> REQUEST')
      .hears(0.1, 'DHCPACK', other, ...back)
      .hears(0.1, 'DHCPACK', other, 'ignore other-server')
      .is('requesting')
      .hears(0.2, 'DHCPACK', {}, `install ${ADDRESS}`);
  });

  test('hears none of the address that was chosen: it is the lease of both (failover)', () => {
    new Transcript()
      .start('> DISCOVER')
      .hears(0, 'DHCPOFFER', {}, '> REQUEST')
      .hears(0.1, 'DHCPACK', { options: { ...from, ...RAPID } }, 'ignore other-server');
  });

  test('and has not said that it committed, or was not asked to, or grants what is no address: nothing', () => {
    new Transcript()
      .start('> DISCOVER')
      .hears(0, 'DHCPOFFER', {}, '> REQUEST')
      .hears(0.1, 'DHCPACK', { ...other, yiaddr: ipv4('192.168.1.255') }, 'ignore other-server');
    new Transcript()
      .start('> DISCOVER')
      .hears(0, 'DHCPOFFER', {}, '> REQUEST')
      .hears(0.1, 'DHCPACK', { yiaddr: OTHER_ADDRESS, options: from }, 'ignore other-server');
    new Transcript({ rapidCommit: false })
      .start('> DISCOVER')
      .hears(0, 'DHCPOFFER', {}, '> REQUEST')
      .hears(0.1, 'DHCPACK', other, 'ignore other-server');
  });
});
