import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { isJsonObject, type Json, type JsonObject, parseJson } from '../../../src/base/json.ts';
import { loadConfig } from '../../../src/daemon/config.ts';
import { readLeaseholdConf } from '../../../src/cni/leasehold/conf.ts';
import { DHCP_DESCRIBED, KEYS_DESCRIBED } from '../../../src/cni/leasehold/described.ts';
import { netConf } from '../dhcp/support.ts';

const PAGE = readFileSync(new URL('../../../docs/configuration.md', import.meta.url), 'utf8');

/** The first table of a section: the cells of each row, without the code marks around a single value. */
function tableOf(heading: string): readonly (readonly string[])[] {
  const [, section = ''] = PAGE.split(`\n${heading}\n`);
  const [table = ''] = /^\|(?:.*\n\|)*.*$/m.exec(section) ?? [];
  return table
    .split('\n')
    .slice(2)
    .map((row) =>
      row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim().replace(/^`([^`]*)`$/, '$1')),
    );
}

function jsonOf(text: string): Json {
  const json = parseJson(text);
  assert.ok(json.ok, text);
  return json.value;
}

function read(raw: JsonObject): void {
  readLeaseholdConf(netConf({ ...raw, type: 'leasehold' }));
}

/** Runs with a file of this content. */
function daemonReads(content: JsonObject): unknown {
  const folder = mkdtempSync(join(tmpdir(), 'lh-configuration-'));
  try {
    const file = join(folder, 'daemon.json');
    writeFileSync(file, JSON.stringify(content));
    return loadConfig(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The keys that the daemon's file has, as its own message lists them. */
function daemonKeys(section?: string): readonly string[] {
  let message = '';
  assert.throws(
    () => daemonReads(section === undefined ? { '?': 0 } : { [section]: { '?': 0 } }),
    (error: Error) => {
      ({ message } = error);
      return true;
    },
  );
  return /\(keys of .*: (.*)\)$/.exec(message)?.[1]?.split(', ') ?? [];
}

describe('docs/configuration.md', () => {
  const tables = [
    [
      '## A network: the plugin `leasehold`',
      KEYS_DESCRIBED,
      (key: string, value: Json) => ({ [key]: value }),
    ],
    ['### `dhcp`', DHCP_DESCRIBED, (key: string, value: Json) => ({ dhcp: { [key]: value } })],
  ] as const;
  for (const [heading, described, confWith] of tables) {
    test(`${heading}: every key of the code, its default, an example that is read`, () => {
      const rows = tableOf(heading);
      assert.deepEqual(
        rows.map(([key]) => key),
        Object.keys(described),
      );
      for (const [key = '', , usual = '', example = ''] of rows) {
        const words = Object.entries(described).find(([name]) => name === key)?.[1];
        if (words?.default !== undefined) assert.equal(usual, JSON.stringify(words.default), key);
        read(confWith(key, jsonOf(example)));
      }
    });
  }

  test("every key of the daemon's file", () => {
    const shared = Object.keys(DHCP_DESCRIBED).filter((key) => key !== 'provide');
    const keys = daemonKeys().flatMap((key) => {
      if (key === 'dhcp') {
        const own = daemonKeys('dhcp').filter((inner) => !shared.includes(inner));
        return ['dhcp', ...own.map((inner) => `dhcp.${inner}`)];
      }
      return key === 'identity' ? daemonKeys('identity').map((inner) => `identity.${inner}`) : [key];
    });
    assert.deepEqual(
      tableOf("## The daemon's file")
        .map(([key = '']) => key)
        .toSorted(),
      keys.toSorted(),
    );
    assert.deepEqual(
      shared.filter((key) => !daemonKeys('dhcp').includes(key)),
      [],
    );
  });

  test('its examples are read', () => {
    const blocks = [...PAGE.matchAll(/```json\n([^]*?)```/g)].map((match) => jsonOf(match[1] ?? ''));
    assert.ok(blocks.length >= 4);
    for (const block of blocks) {
      assert.ok(isJsonObject(block));
      const { plugins } = block;
      if (!Array.isArray(plugins)) daemonReads(block);
      else {
        const list: readonly Json[] = plugins;
        for (const plugin of list.filter(isJsonObject)) if (plugin['type'] === 'leasehold') read(plugin);
      }
    }
  });
});
