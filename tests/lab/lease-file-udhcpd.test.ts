import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseUdhcpdLeases } from '../../src/lab/lease-file-udhcpd.ts';

const WRITTEN_AT = 1000;
const MAC = '02:00:00:00:00:01';

function entry(remaining: number, last: number, mac: string, name = ''): Buffer {
  const bytes = Buffer.alloc(36);
  bytes.writeUInt32BE(remaining, 0);
  bytes.set([10, 0, 0, last], 4);
  bytes.write(mac.replaceAll(':', ''), 8, 'hex');
  bytes.write(name, 14, 'latin1');
  return bytes;
}

test('udhcpd: what remains counts from when the file was written', () => {
  const header = Buffer.alloc(8);
  header.writeBigInt64BE(BigInt(WRITTEN_AT));
  const file = Buffer.concat([
    header,
    entry(60, 5, MAC, 'Web'),
    entry(10, 6, MAC),
    // put aside after a conflict
    entry(60, 7, '00:00:00:00:00:00'),
    // cut off
    entry(60, 8, MAC).subarray(0, 20),
  ]);
  const first = { ip: '10.0.0.5', mac: MAC, hostname: 'web', clientId: undefined, expiresAt: 1060 };
  assert.deepEqual(parseUdhcpdLeases(file, WRITTEN_AT + 10), [first]);
  assert.equal(parseUdhcpdLeases(file, WRITTEN_AT + 9).length, 2);
  assert.deepEqual(parseUdhcpdLeases(new Uint8Array(7), 0), []);
});
