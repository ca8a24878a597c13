import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { isJsonObject, type Json, parseJson } from '../../../src/base/json.ts';
import { DHCP_KEYS, readDhcpKeys } from '../../../src/cni/dhcp/keys.ts';
import { VALUE_TYPES } from '../../../src/cni/dhcp/typed-value.ts';
import { CLIENT_ID_POLICIES } from '../../../src/cni/identity/client-id.ts';
import { FQDN_UPDATES } from '../../../src/cni/identity/host-name.ts';
import { MAC_POLICIES } from '../../../src/cni/identity/pod-mac.ts';
import { PLACEHOLDERS } from '../../../src/cni/identity/template.ts';

function page(name: string): string {
  return readFileSync(new URL(`../../../docs/${name}`, import.meta.url), 'utf8');
}

/** The objects of the ```json blocks: one a block, or one a line. */
function examples(text: string): readonly Json[] {
  const blocks = [...text.matchAll(/```json\n([^]*?)```/g)].map((match) => match[1] ?? '');
  return blocks.flatMap((block) => {
    const texts = parseJson(block).ok ? [block] : block.trim().split('\n');
    return texts.map((one) => {
      const json = parseJson(one);
      assert.ok(json.ok, one);
      return json.value;
    });
  });
}

test('docs/identity.md names every key, policy, placeholder and counter', () => {
  const text = page('identity.md');
  const words = [
    ...DHCP_KEYS,
    ...CLIENT_ID_POLICIES,
    ...MAC_POLICIES,
    ...FQDN_UPDATES,
    ...PLACEHOLDERS.map((name) => `{${name}}`),
    'identity-without-pod',
    'name-without-pod',
    'host-name-beside-fqdn',
  ];
  for (const word of words) assert.ok(text.includes(`\`${word}\``), word);
  for (const type of VALUE_TYPES) assert.ok(page('dhcp-options.md').includes(`\`${type}\``), type);
});

test('the examples of both pages are read', () => {
  const all = [...examples(page('identity.md')), ...examples(page('dhcp-options.md'))];
  assert.ok(all.length >= 7);
  for (const json of all) {
    assert.ok(isJsonObject(json));
    const section = json['ipam'] ?? json['dhcp'] ?? json;
    assert.ok(isJsonObject(section));
    readDhcpKeys(section, 'ipam');
  }
});
