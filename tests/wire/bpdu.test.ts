import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { fromHex } from '../../src/base/bytes.ts';
import { parseBpdu } from '../../src/wire/bpdu.ts';
import { parseUnreachable4 } from '../../src/wire/ip/icmp4.ts';

function bytes(...parts: readonly string[]): Uint8Array {
  const read = fromHex(parts.join('').replaceAll(' ', ''));
  assert.ok(read !== undefined);
  return read;
}

/** Destination, source, length; LLC, protocol. */
const HEAD = '0180c2000000 02005e100009 0026 424203 0000';
const ROOT = '8000 02005e100009 00000000';
const BRIDGE = '8000 02005e100009 8001';
/** Message age, max age, hello time, forward delay of 15 s. */
const TIMES = '0000 1400 0200 0f00';

describe('parseBpdu', () => {
  test('the old form says how long a port listens, and not whether it forwards', () => {
    assert.deepEqual(parseBpdu(bytes(HEAD, '00 00 00', ROOT, BRIDGE, TIMES)), {
      bridge: '02:00:5e:10:00:09',
      forwardDelay: 15_000,
      forwarding: undefined,
    });
  });

  test('the rapid form says it', () => {
    assert.equal(parseBpdu(bytes(HEAD, '02 02 3c', ROOT, BRIDGE, TIMES, '00'))?.forwarding, true);
    assert.equal(parseBpdu(bytes(HEAD, '02 02 0e', ROOT, BRIDGE, TIMES, '00'))?.forwarding, false);
  });

  test('a topology change notice, other protocols, short frames and other frames are none', () => {
    assert.equal(parseBpdu(bytes(HEAD, '00 80', '00'.repeat(40))), undefined);
    assert.equal(
      parseBpdu(bytes(HEAD.replace('424203', 'aaaa03'), '00 00 00', ROOT, BRIDGE, TIMES)),
      undefined,
    );
    assert.equal(
      parseBpdu(bytes(HEAD.replace('0180c2', '0180c3'), '00 00 00', ROOT, BRIDGE, TIMES)),
      undefined,
    );
    assert.equal(parseBpdu(bytes(HEAD, '00 00 00', ROOT, BRIDGE)), undefined);
  });
});

describe('parseUnreachable4', () => {
  const ETHERNET = '02005e100001 02005e1000fe 0800';
  const OUTER = '4500 0038 0000 0000 40 01 0000 c0a80201 c0a8020a';
  const INNER = '4500 0148 0000 4000 40 11 0000 c0a8020a c0a80203';

  test('who says that a server cannot be reached', () => {
    const frame = bytes(ETHERNET, OUTER, '03 03 0000 00000000', INNER, '0044 0043 0134 0000');
    assert.deepEqual(parseUnreachable4(frame), {
      from: '192.168.2.1',
      code: 3,
      dst: '192.168.2.3',
      dstPort: 67,
    });
  });

  test('other errors, other protocols and short frames are none', () => {
    const ports = '0044 0043 0134 0000';
    assert.equal(parseUnreachable4(bytes(ETHERNET, OUTER, '0b 00 0000 00000000', INNER, ports)), undefined);
    const tcp = INNER.replace('40 11', '40 06');
    assert.equal(parseUnreachable4(bytes(ETHERNET, OUTER, '03 03 0000 00000000', tcp, ports)), undefined);
    const whole = bytes(ETHERNET, OUTER, '03 03 0000 00000000', INNER, ports);
    for (let length = 0; length < whole.length - 4; length++) {
      assert.equal(parseUnreachable4(whole.subarray(0, length)), undefined);
    }
  });
});

test('neither throws, whatever comes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), (noise) => {
      parseBpdu(noise);
      parseUnreachable4(noise);
      const lured = bytes(HEAD, '02 02 00', ROOT, BRIDGE, TIMES);
      lured.set(noise.subarray(0, lured.length - 14), 14);
      parseBpdu(lured);
    }),
  );
});
