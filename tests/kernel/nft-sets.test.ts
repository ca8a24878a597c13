import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { changesSetSizes } from '../../src/kernel/nft-sets.ts';
import { Nftables } from '../../src/kernel/nftables.ts';
import type { TableSpec } from '../../src/wire/nftables/table.ts';
import { asRoot, Sandbox } from './support/sandbox.ts';

test('kernels from 6.5 on change the size of a set; what cannot be read is an old one', () => {
  for (const release of ['6.5.0', '6.18.44-x', '6.12.0+deb13-amd64', '7.0', '10.1.2']) {
    assert.equal(changesSetSizes(release), true, release);
  }
  for (const release of ['6.1.0-40-amd64', '6.4.16', '5.16.0', '4.20', '', '6', 'six.five', '-6.5']) {
    assert.equal(changesSetSizes(release), false, release);
  }
});

const MOST = 3;

function tableWith(allocated: boolean): TableSpec {
  const key = { type: 7, length: 4 };
  const set = { name: 'few', key, timeoutMs: 60_000, gcIntervalMs: 5000, most: MOST, allocated };
  return { family: 'ip', name: 'bounded', sets: [set], chains: [] };
}

for (const allocated of [false, true]) {
  const how = allocated ? 'with memory for it' : 'without memory for it';
  test(`a set that was made ${how} has its bound, its timeouts, and is as specified`, asRoot, async () => {
    await using sandbox = new Sandbox('nftsets');
    const netns = sandbox.namespace('pod');
    await using tables = Nftables.open(netns);
    const table = tableWith(allocated);
    await tables.put([table]);
    assert.equal(await tables.isAsSpecified(table), true);
    const other = table.sets.map((set) => ({ ...set, most: MOST + 1 }));
    assert.equal(await tables.isAsSpecified({ ...table, sets: other }), false);
    const nft = (command: string): string =>
      execFileSync('nsenter', [`--net=${sandbox.path('pod')}`, 'nft', ...command.split(' ')], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    const text = nft('list set ip bounded few');
    for (const word of [`size ${MOST}`, 'timeout 1m', 'gc-interval 5s']) assert.ok(text.includes(word), text);
    nft('add element ip bounded few { 10.0.0.1 }');
  });
}
