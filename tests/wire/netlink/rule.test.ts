import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { cidr, networkOf } from '../../../src/base/cidr.ts';
import type { Ip } from '../../../src/base/ip.ts';
import { ipv4 } from '../../../src/base/ipv4.ts';
import { ipv6 } from '../../../src/base/ipv6.ts';
import {
  addRuleRequest,
  decodeRule,
  deleteRuleRequest,
  FR_ACT_PROHIBIT,
  listRulesRequest,
  deleteDestinationRuleRequest,
  addDestinationRuleRequest,
} from '../../../src/wire/netlink/rule.ts';

/** RTM_NEWRULE as Linux 6.18 sent them, whole: "from 192.168.2.7 lookup 100000", and the one of the table main. */
const BIG_TABLE =
  '02002000fc0000010000000008000f00a086010008000e00ffffffff050015004c00000008000600e803000008000200c0a80207';
const MAIN = '02000000fe0000010000000008000f00fe00000008000e00ffffffff050015000200000008000600fe7f0000';
/** The first: it has no priority. */
const LOCAL = '02000000ff0000010000000008000f00ff00000008000e00ffffffff0500150002000000';

test('rules as the kernel sends them', () => {
  assert.deepEqual(decodeRule(Uint8Array.fromHex(BIG_TABLE)), {
    ok: true,
    value: {
      family: 4,
      from: cidr('192.168.2.7/32'),
      table: 100_000,
      action: 1,
      priority: 1000,
      protocol: 76,
    },
  });
  const own = { family: 4, action: 1, protocol: 2 };
  assert.deepEqual(decodeRule(Uint8Array.fromHex(MAIN)), {
    ok: true,
    value: { ...own, table: 254, priority: 32_766 },
  });
  assert.deepEqual(decodeRule(Uint8Array.fromHex(LOCAL)), {
    ok: true,
    value: { ...own, table: 255, priority: 0 },
  });
});

test('what is asked names source, table, priority and who asked', () => {
  const rule = { from: cidr('192.168.2.7/32'), table: 100_000, priority: 1000, protocol: 76 };
  const add = addRuleRequest(rule);
  assert.equal(add.op, 'RTM_NEWRULE from 192.168.2.7/32 lookup 100000');
  const asked = [
    '020020000000000100000000', // fib_rule_hdr: 32 bits of the source, FR_ACT_TO_TBL; the table does not fit
    '08000200c0a80207', // FRA_SRC
    '08000f00a0860100', // FRA_TABLE
    '08000600e8030000', // FRA_PRIORITY
    '050015004c000000', // FRA_PROTOCOL
  ].join('');
  assert.equal(add.payload.toHex(), asked);
  assert.equal(deleteRuleRequest(rule).payload.toHex(), asked);
  assert.equal(
    deleteRuleRequest({ from: cidr('10.8.0.9/16'), table: 200 }).payload.toHex(),
    ['02001000c800000100000000', '080002000a080000', '08000f00c8000000'].join(''),
  );
  assert.deepEqual([...listRulesRequest(6).payload], [10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
});

test('what comes in by one interface for a network is prohibited', () => {
  const name = { iif: 'lh0', to: cidr('10.43.7.7/16'), priority: 105, protocol: 76 };
  const rule = { ...name, does: 'prohibit' } as const;
  const add = addDestinationRuleRequest(rule);
  assert.equal(add.op, 'RTM_NEWRULE iif lh0 to 10.43.7.7/16 prohibit');
  const asked = [
    '021000000000000800000000', // fib_rule_hdr: 16 bits of the destination, FR_ACT_PROHIBIT
    '080001000a2b0000', // FRA_DST, host bits cleared
    '080003006c683000', // FRA_IIFNAME
    '0800060069000000', // FRA_PRIORITY
    '050015004c000000', // FRA_PROTOCOL
  ].join('');
  assert.equal(add.payload.toHex(), asked);
  assert.equal(deleteDestinationRuleRequest(rule).payload.toHex(), asked);
  assert.deepEqual(decodeRule(add.payload), {
    ok: true,
    value: { family: 4, ...name, to: cidr('10.43.0.0/16'), table: 0, action: FR_ACT_PROHIBIT },
  });
  const known = addDestinationRuleRequest({ ...name, does: { table: 254, suppressPrefixLength: 0 } });
  assert.equal(known.op, 'RTM_NEWRULE iif lh0 to 10.43.7.7/16 lookup 254');
  assert.deepEqual(decodeRule(known.payload), {
    ok: true,
    value: {
      family: 4,
      ...name,
      to: cidr('10.43.0.0/16'),
      table: 254,
      action: 1,
      suppressPrefixLength: 0,
    },
  });
  const marked = addDestinationRuleRequest({ ...rule, iif: undefined, mark: 0x4c656173 });
  assert.equal(marked.op, 'RTM_NEWRULE from all fwmark 0x4c656173 to 10.43.7.7/16 prohibit');
  assert.ok(marked.payload.toHex().includes('08000a007361654c'), 'FRA_FWMARK');
  assert.deepEqual(decodeRule(add.payload.with(1, 33)), error('bad-length', 'FRA_DST'));
});

test('a rule survives the way there and back', () => {
  const u32 = fc.integer({ min: 1, max: 0xffffffff });
  const source = fc.oneof(
    fc.record({ address: fc.ipV4().map(ipv4), prefix: fc.integer({ min: 1, max: 32 }) }),
    fc.record({ address: fc.ipV6().map(ipv6), prefix: fc.integer({ min: 1, max: 128 }) }),
  );
  fc.assert(
    fc.property(source, u32, u32, fc.nat(255), (from, table, priority, protocol) => {
      const read = decodeRule(addRuleRequest({ from, table, priority, protocol }).payload);
      const family = from.address.includes(':') ? 6 : 4;
      const value = { family, from: networkOf<Ip>(from), table, action: 1, priority, protocol };
      assert.deepEqual(read, { ok: true, value });
    }),
  );
});

function error(kind: string, what: string): unknown {
  return { ok: false, error: { kind, what } };
}

test('cut and lying messages are named', () => {
  const whole = Uint8Array.fromHex(BIG_TABLE);
  assert.deepEqual(decodeRule(whole.subarray(0, 11)), error('truncated', 'fib_rule_hdr'));
  assert.deepEqual(
    decodeRule(whole.with(0, 7)),
    error('missing', 'address family 7 of fib_rule_hdr is not known here'),
  );
  assert.deepEqual(decodeRule(whole.with(2, 33)), error('bad-length', 'FRA_SRC'));
});

test('any bytes are decoded or refused', () => {
  const edit = fc.tuple(fc.nat(60), fc.nat(255));
  fc.assert(
    fc.property(fc.array(edit, { maxLength: 6 }), fc.nat(60), (edits, end) => {
      const bytes = Uint8Array.fromHex(BIG_TABLE).slice(0, end);
      for (const [at, value] of edits) if (at < bytes.length) bytes[at] = value;
      const read = decodeRule(bytes);
      if (!read.ok) assert.ok(['truncated', 'bad-length', 'missing'].includes(read.error.kind));
    }),
    { numRuns: 10_000 },
  );
});
