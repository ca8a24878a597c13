import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIscLeases } from '../../src/lab/lease-file-isc.ts';

const NOW = 1000;
const MAC = '02:00:00:00:00:01';

function block(address: string, ends: string, more: readonly string[] = []): string {
  const lines = [`ends ${ends};`, 'cltt epoch 900; # a date', `hardware ethernet ${MAC};`, ...more];
  return `lease ${address} {\n${lines.map((line) => `  ${line}\n`).join('')}}\n`;
}
const ACTIVE = 'binding state active;';

test('ISC: the last block of an address holds, and only active ones that have not ended', () => {
  const text = [
    '# The format of this file is documented\nauthoring-byte-order little-endian;\n',
    block('10.0.0.5', 'epoch 1500', [ACTIVE]),
    block('10.0.0.5', 'epoch 2000', [ACTIVE, String.raw`uid "\000\377a\"\\b";`, 'client-hostname "Web";']),
    block('10.0.0.6', 'epoch 2000', [ACTIVE]),
    block('10.0.0.6', 'epoch 1100', ['binding state free;', 'next binding state active;']),
    block('10.0.0.7', 'epoch 2000', ['binding state abandoned;']),
    block('10.0.0.8', 'epoch 999', [ACTIVE]),
    block('10.0.0.9', 'never', [ACTIVE]),
    block('10.0.0.999', 'epoch 2000', [ACTIVE]),
    block('10.0.0.10', '2 2026/01/01 00:00:00', [ACTIVE]),
    'lease 10.0.0.11 {\n  ends epoch 2000;\n  binding state act',
  ].join('');
  assert.deepEqual(parseIscLeases(text, NOW), [
    { ip: '10.0.0.5', mac: MAC, hostname: 'web', clientId: '00:ff:61:22:5c:62', expiresAt: 2000 },
    { ip: '10.0.0.9', mac: MAC, hostname: undefined, clientId: undefined, expiresAt: undefined },
  ]);
  assert.deepEqual(parseIscLeases('', NOW), []);
});
