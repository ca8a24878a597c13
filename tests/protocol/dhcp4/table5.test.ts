import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4ToBytes, IPV4_ANY } from '../../../src/base/ipv4.ts';
import type { Dhcp4Config } from '../../../src/protocol/dhcp4/state.ts';
import { emitDhcp4 } from '../../../src/wire/dhcp4/message.ts';
import type { Dhcp4Event } from '../../../src/protocol/dhcp4/step.ts';
import { ADDRESS, CONFIG, OUR_MAC, reply, type ReplyType, SERVER } from './messages.ts';
import { Transcript } from './transcript.ts';

/** All that configuration may add: host name, vendor options, lease time, vendor class, user class, a site's own option. */
const FULL: Partial<Dhcp4Config> = {
  send: { 12: '706f64', 43: '010101', 51: '00000e10', 60: '6c6162', 77: '03616263', 224: '01' },
  broadcast: 'always',
};
const exact = (): number => 0;

function bound(): Transcript {
  return new Transcript(FULL, exact).bound();
}

function late(): Transcript {
  const t = bound();
  t.now = Transcript.at(3200);
  return t.does({ type: 'wake' }, '> REQUEST');
}

/** The columns of RFC 2131 table 5, those of DHCPREQUEST by the states of 4.3.2. */
const SENT = {
  DISCOVER: new Transcript(FULL).start('> DISCOVER').sent,
  SELECTING: new Transcript(FULL).start('> DISCOVER').hears(0, 'DHCPOFFER', {}, '> REQUEST').sent,
  'INIT-REBOOT': new Transcript(FULL).held(ADDRESS).start('> REQUEST').sent,
  VERIFYING: bound().linkUp(100, true, '> REQUEST').sent,
  RENEWING: bound().wake(1800, `> REQUEST to ${SERVER}`).sent,
  REBINDING: late().sent,
  DECLINE: bound().does({ type: 'conflict' }, `withdraw ${ADDRESS}`, '> DECLINE').sent,
  RELEASE: bound().does({ type: 'release' }, `> RELEASE to ${SERVER}`, `withdraw ${ADDRESS}`).sent,
} as const;

type Column = keyof typeof SENT;
const COLUMNS = Object.keys(SENT) as readonly Column[];
const ASKING: readonly Column[] = COLUMNS.filter((column) => column !== 'DECLINE' && column !== 'RELEASE');
const WITH_LEASE: readonly Column[] = ['RENEWING', 'REBINDING'];

/** The value of this option in these columns, as hex, and its absence in all others. */
function assertOnlyIn(code: number, expected: Partial<Record<Column, string>>): void {
  const found = COLUMNS.map((column) => [column, SENT[column].options.get(code)?.toHex()] as const);
  assert.deepEqual(
    found,
    COLUMNS.map((column) => [column, expected[column]]),
  );
}

function all(columns: readonly Column[], hex: string): Partial<Record<Column, string>> {
  return Object.fromEntries(columns.map((column) => [column, hex]));
}

const hexOf = (address: typeof ADDRESS): string => ipv4ToBytes(address).toHex();

describe('what a client sends with all that may be configured (RFC 2131 table 5)', () => {
  test('op, htype, hlen, hops: a BOOTREQUEST of an Ethernet', () => {
    for (const column of COLUMNS) {
      assert.equal(emitDhcp4(SENT[column]).subarray(0, 4).toHex(), '01010600', column);
    }
  });

  test('flags: BROADCAST or nothing, and nothing in DECLINE and RELEASE', () => {
    const flags = COLUMNS.map((column) => emitDhcp4(SENT[column]).subarray(10, 12).toHex());
    assert.deepEqual(new Set(flags), new Set(['8000', '0000']));
    for (const column of ['DECLINE', 'RELEASE', ...WITH_LEASE] as const)
      assert.equal(SENT[column].broadcast, false);
  });

  test('secs: 0 in DECLINE and RELEASE', () => {
    assert.deepEqual([SENT.DECLINE.secs, SENT.RELEASE.secs], [0, 0]);
  });

  test('ciaddr: the leased address in RENEWING, REBINDING and RELEASE, else 0', () => {
    for (const column of COLUMNS) {
      const has = column === 'RELEASE' || WITH_LEASE.includes(column);
      assert.equal(SENT[column].ciaddr, has ? ADDRESS : IPV4_ANY, column);
    }
  });

  test('yiaddr, siaddr, giaddr: 0; chaddr: of the client; sname, file: unused', () => {
    for (const column of COLUMNS) {
      const { yiaddr, siaddr, giaddr, chaddr } = SENT[column];
      assert.deepEqual([yiaddr, siaddr, giaddr, chaddr], [IPV4_ANY, IPV4_ANY, IPV4_ANY, OUR_MAC], column);
      assert.match(emitDhcp4(SENT[column]).subarray(44, 236).toHex(), /^0+$/, column);
    }
  });

  test('requested address (50): in SELECTING, INIT-REBOOT and DECLINE', () => {
    assertOnlyIn(50, all(['SELECTING', 'INIT-REBOOT', 'VERIFYING', 'DECLINE'], hexOf(ADDRESS)));
  });

  test('lease time (51): not in DECLINE and RELEASE', () => {
    assertOnlyIn(51, all(ASKING, '00000e10'));
  });

  test('message type (53): in each', () => {
    assertOnlyIn(53, { ...all(ASKING, '03'), DISCOVER: '01', DECLINE: '04', RELEASE: '07' });
  });

  test('server identifier (54): in SELECTING, DECLINE and RELEASE', () => {
    assertOnlyIn(54, all(['SELECTING', 'DECLINE', 'RELEASE'], hexOf(SERVER)));
  });

  test('parameter request list (55) and maximum message size (57): not in DECLINE and RELEASE', () => {
    assertOnlyIn(55, all(ASKING, '010306'));
    for (const column of COLUMNS) assert.equal(SENT[column].options.has(57), ASKING.includes(column), column);
  });

  test('maximum message size (57): 576 at least', () => {
    for (const column of ASKING) {
      const [high = 0, low = 0] = SENT[column].options.get(57) ?? [];
      assert.ok(high * 256 + low >= 576, column);
    }
  });

  test('message (56): in DECLINE and RELEASE', () => {
    for (const column of COLUMNS)
      assert.equal(SENT[column].options.has(56), !ASKING.includes(column), column);
  });

  test('client identifier (61): the same in each', () => {
    assertOnlyIn(61, all(COLUMNS, CONFIG.clientId ?? assert.fail()));
  });

  test('vendor class (60), site-specific (224), all others: not in DECLINE and RELEASE', () => {
    assertOnlyIn(60, all(ASKING, '6c6162'));
    assertOnlyIn(224, all(ASKING, '01'));
    assertOnlyIn(43, all(ASKING, '010101'));
    assertOnlyIn(77, all(ASKING, '03616263'));
    assertOnlyIn(12, all(ASKING, '706f64'));
  });

  test('no code twice: each option is entirely in one piece of the options field, which End closes', () => {
    for (const column of COLUMNS) {
      const bytes = emitDhcp4(SENT[column]);
      const codes: number[] = [];
      let at = 240;
      for (; bytes[at] !== 255; at += 2 + (bytes[at + 1] ?? 0)) codes.push(bytes[at] ?? 0);
      assert.deepEqual(codes, [...SENT[column].options.keys()], column);
      assert.match(bytes.subarray(at).toHex(), /^ff(00)*$/, column);
    }
  });
});

/** Draws that differ, over all of the range. */
function draws(): () => number {
  let drawn = 0;
  return () => (drawn++ * 0.618_033_988_749_895) % 1;
}

function xidAt(random: number): number {
  return new Transcript({}, () => random).start('> DISCOVER').sent.xid;
}

describe('the transaction id (RFC 2131 4.1)', () => {
  test('has 32 random bits', () => {
    assert.deepEqual([xidAt(0), xidAt(0.5), xidAt(1 - 2 ** -32)], [0, 0x80000000, 0xffffffff]);
  });

  test('an answer with another one is not taken', () => {
    const t = new Transcript().start('> DISCOVER');
    const heard = (type: ReplyType): Dhcp4Event => ({ type: 'message', message: reply(type, t.xid ^ 0x100) });
    t.does(heard('DHCPOFFER'), 'ignore wrong-xid').hears(0, 'DHCPOFFER', {}, '> REQUEST');
    t.does(heard('DHCPACK'), 'ignore wrong-xid').does(heard('DHCPNAK'), 'ignore wrong-xid');
    t.hears(0, 'DHCPACK', {}, `install ${ADDRESS}`);
  });

  test('is another one for each search, renewal, DECLINE and RELEASE', () => {
    const t = new Transcript({}, draws()).bound();
    const ids: number[] = [];
    const before = t.state;
    t.does({ type: 'release' }, `> RELEASE to ${SERVER}`, `withdraw ${ADDRESS}`);
    ids.push(t.sent.xid);
    t.state = before;
    t.does({ type: 'conflict' }, `withdraw ${ADDRESS}`, '> DECLINE');
    ids.push(t.sent.xid);
    t.now = t.due;
    t.does({ type: 'wake' }, '> DISCOVER');
    ids.push(t.sent.xid);
    t.state = before;
    t.now = t.due;
    t.does({ type: 'wake' }, `> REQUEST to ${SERVER}`);
    ids.push(t.sent.xid);
    assert.equal(new Set(ids).size, ids.length);
  });
});
