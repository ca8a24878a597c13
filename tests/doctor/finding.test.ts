import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conflistNode } from '../../src/doctor/conflist/node.ts';
import { checkConflist } from '../../src/doctor/conflist/check.ts';
import { type Finding, mergeSame } from '../../src/doctor/finding.ts';
import { localFindings, viewNode } from '../../src/doctor/local/local-findings.ts';
import { DEFAULT_PLACES } from '../../src/doctor/local/places.ts';
import { quietFacts } from '../cli/support.ts';

const WIFI = { index: 2, name: 'eth0', mtu: 1500, up: true, lowerUp: true, wireless: true };

function finding(id: string, evidence: readonly string[], fact?: string): Finding {
  const rest = { severity: 'error' as const, title: id, evidence, remedy: [id] };
  return { id, ...rest, ...(fact === undefined ? {} : { fact }) };
}

function wifiIds(findings: readonly Finding[]): readonly string[] {
  return findings.map(({ id }) => id).filter((id) => id.endsWith('-wifi'));
}

test('findings about the same fact are one: the first, with what the others have seen', () => {
  const merged = mergeSame([
    finding('a', ['1'], 'x'),
    finding('b', ['2']),
    finding('c', ['1', '3'], 'x'),
    finding('d', ['4'], 'y'),
    finding('b', ['2']),
  ]);
  assert.deepEqual(
    merged.map(({ id, evidence }) => `${id} ${evidence.join()}`),
    ['a 1,3', 'b 2', 'd 4', 'b 2'],
  );
  assert.ok(merged.every((one) => !('fact' in one)));
});

test('a Wi-Fi uplink that the configuration names too is said once', async () => {
  const list = '{"cniVersion":"1.0.0","name":"lan","plugins":[{"type":"leasehold","master":"eth0"}]}';
  const facts = quietFacts({ links: () => Promise.resolve([WIFI]), readText: () => list });
  const daemon = { socket: '/run/d.sock', state: 'ready', spooled: 0 } as const;
  const view = await viewNode(facts, DEFAULT_PLACES, daemon, 'eth0');
  const alone = checkConflist(list, conflistNode(view)).plugins.flatMap((plugin) => plugin.findings);
  assert.ok(alone.some(({ id }) => id === 'master-wifi'));
  const { findings } = await localFindings(view);
  assert.deepEqual(wifiIds(findings), ['uplink-wifi', 'master-wifi']);
  assert.deepEqual(wifiIds(mergeSame(findings)), ['uplink-wifi']);
});
