import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { ipv4 } from '../../../src/base/ipv4.ts';
import { ipv6 } from '../../../src/base/ipv6.ts';
import { mac } from '../../../src/base/mac.ts';
import {
  decodeNeighbour,
  deleteNeighbourRequest,
  listNeighboursRequest,
  neighbourHeader,
  NUD_PERMANENT,
  replaceNeighbourRequest,
} from '../../../src/wire/netlink/neighbour.ts';
import { decodeNetconf } from '../../../src/wire/netlink/netconf.ts';

/** RTM_NEWNEIGH as Linux 6.18 sent them, whole: a permanent one, and one that failed. */
const PERMANENT =
  '020000000300000080000001080001000a09004d0a000200020000000061000008000400000000001400030020000000200000002000000000000000';
const FAILED =
  '020000000300000020000001080001000a09004d08000400000000001400030022000000220000002200000001000000';
/** RTM_NEWNETCONF of one interface, and of conf.all. */
const OF_ONE = '0200000008000100030000000800030001000000';
const OF_ALL = '0200000008000100ffffffff0800030002000000';

test('neighbours as the kernel sends them', () => {
  assert.deepEqual(decodeNeighbour(Uint8Array.fromHex(PERMANENT)), {
    ok: true,
    value: { index: 3, address: '10.9.0.77', mac: '02:00:00:00:00:61', state: NUD_PERMANENT },
  });
  assert.deepEqual(decodeNeighbour(Uint8Array.fromHex(FAILED)), {
    ok: true,
    value: { index: 3, address: '10.9.0.77', state: 0x20 },
  });
  assert.deepEqual(neighbourHeader(Uint8Array.fromHex(FAILED)), { ok: true, value: { family: 2, index: 3 } });
});

test('notices of sysctls as the kernel sends them', () => {
  assert.deepEqual(decodeNetconf(Uint8Array.fromHex(OF_ONE)), { ok: true, value: { family: 2, index: 3 } });
  assert.deepEqual(decodeNetconf(Uint8Array.fromHex(OF_ALL)), { ok: true, value: { family: 2, index: -1 } });
});

test('what is asked is a header and the address', () => {
  const address = ipv4('10.9.0.77');
  const put = replaceNeighbourRequest({
    index: 3,
    address,
    mac: mac('02:00:00:00:00:61'),
    state: NUD_PERMANENT,
  });
  assert.equal(put.op, 'RTM_NEWNEIGH 10.9.0.77 #3');
  assert.equal(put.payload.toHex(), '020000000300000080000000080001000a09004d0a0002000200000000610000');
  assert.equal(
    deleteNeighbourRequest({ index: 3, address }).payload.toHex(),
    '020000000300000000000000080001000a09004d',
  );
  // With an empty header: the kernel refuses one that says more (NETLINK_GET_STRICT_CHK).
  assert.equal(listNeighboursRequest(4, 3).payload.toHex(), '0200000000000000000000000800080003000000');
  assert.equal(listNeighboursRequest(6, 3).payload[0], 10);
});

test('a neighbour survives the way there and back', () => {
  const address = fc.oneof(fc.ipV4().map(ipv4), fc.ipV6().map(ipv6));
  const lladdr = fc
    .uint8Array({ minLength: 6, maxLength: 6 })
    .map((bytes) => mac(bytes.toHex().replaceAll(/(..)(?!$)/g, '$1:')));
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 0x7fffffff }),
      address,
      lladdr,
      fc.nat(0xffff),
      (index, ip, of, state) => {
        const wanted = { index, address: ip, mac: of, state };
        const { payload } = replaceNeighbourRequest(wanted);
        assert.deepEqual(decodeNeighbour(payload), { ok: true, value: wanted });
        assert.deepEqual(neighbourHeader(payload), { ok: true, value: { family: payload[0], index } });
      },
    ),
  );
});

function error(kind: string, what: string): unknown {
  return { ok: false, error: { kind, what } };
}

test('cut and lying messages are named', () => {
  const whole = Uint8Array.fromHex(PERMANENT);
  assert.deepEqual(decodeNeighbour(whole.subarray(0, 11)), error('truncated', 'ndmsg'));
  assert.deepEqual(neighbourHeader(whole.subarray(0, 11)), error('truncated', 'ndmsg'));
  assert.deepEqual(decodeNeighbour(whole.subarray(0, 12)), error('missing', 'NDA_DST'));
  assert.deepEqual(
    decodeNeighbour(whole.subarray(0, 19)),
    error('bad-length', 'attribute at byte 0 of ndmsg'),
  );
  assert.deepEqual(decodeNetconf(new Uint8Array(3)), error('truncated', 'netconfmsg'));
  assert.deepEqual(decodeNetconf(new Uint8Array(4)), error('missing', 'NETCONFA_IFINDEX'));
});

test('any bytes are decoded or refused', () => {
  const seeds = [PERMANENT, FAILED, OF_ONE].map((text) => Uint8Array.fromHex(text));
  const edit = fc.tuple(fc.nat(60), fc.nat(255));
  fc.assert(
    fc.property(
      fc.constantFrom(...seeds),
      fc.array(edit, { maxLength: 6 }),
      fc.nat(60),
      (seed, edits, end) => {
        const bytes = seed.slice(0, end);
        for (const [at, value] of edits) if (at < bytes.length) bytes[at] = value;
        for (const decode of [decodeNeighbour, neighbourHeader, decodeNetconf]) {
          const read = decode(bytes);
          if (!read.ok) assert.ok(['truncated', 'bad-length', 'missing'].includes(read.error.kind));
        }
      },
    ),
    { numRuns: 10_000 },
  );
});
