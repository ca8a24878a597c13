import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipv4 } from '../../../src/base/ipv4.ts';
import {
  decodeConnection,
  listConnectionsRequest,
  resetConnectionRequest,
} from '../../../src/wire/netlink/sock-diag.ts';

const ADDRESS = ipv4('192.0.2.7');
const ID = 48;

test('the list is of connections from one address, of one family, listeners and closed ones left out', () => {
  const { payload } = listConnectionsRequest(6, ADDRESS);
  assert.deepEqual([...payload.subarray(0, 4)], [10, 6, 0, 0]);
  const states = new DataView(payload.buffer, payload.byteOffset).getUint32(4, true);
  const [closed, timeWait, listening] = [7, 6, 10];
  for (const state of [closed, timeWait, listening]) assert.equal(states & (1 << state), 0);
  for (const state of [1, 2, 3, 4, 5, 8, 9, 11]) assert.notEqual(states & (1 << state), 0);
  assert.ok(payload.subarray(8, 8 + ID).every((byte) => byte === 0));
  // Attribute, operation (to the end, or beyond it), condition: the family, all 32 bits, any port, the address.
  assert.equal(payload.subarray(8 + ID).toHex(), '140001000710140002200000ffffffffc0000207');
});

test('what is reset is what was listed, by address, port and cookie', () => {
  for (const [family, af] of [
    [4, 2],
    [6, 10],
  ] as const) {
    const message = Uint8Array.from({ length: 72 }, (_, i) => i);
    message[0] = af;
    const connection = decodeConnection(message);
    assert.ok(connection.ok);
    assert.equal(connection.value.family, family);
    const { payload } = resetConnectionRequest(connection.value);
    assert.deepEqual([...payload.subarray(0, 2)], [af, 6]);
    assert.deepEqual(payload.subarray(8), message.subarray(4, 4 + ID));
  }
});

test('what is too short is no connection', () => {
  for (let length = 0; length < 72; length++) assert.ok(!decodeConnection(new Uint8Array(length)).ok);
});
