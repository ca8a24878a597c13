import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { seconds } from '../../src/base/time.ts';
import { loadConfig } from '../../src/daemon-config.ts';

function fileWith(t: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), `lh${process.pid}-config-`));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'config.json');
  writeFileSync(path, text);
  return path;
}

const DEFAULTS = { deadline: seconds(60), carrierWait: seconds(5), broadcast: 'auto', rapidCommit: true };

test('without a file, and with an empty one: the defaults', (t) => {
  assert.deepEqual(loadConfig(undefined), DEFAULTS);
  assert.deepEqual(loadConfig(fileWith(t, '{}')), DEFAULTS);
  assert.deepEqual(loadConfig(fileWith(t, '{"dhcp":{}}')), DEFAULTS);
});

test('what is set is taken; the wait for a carrier is part of the deadline', (t) => {
  const text = '{"dhcp":{"deadlineSeconds":2.5,"broadcast":"never","rapidCommit":false}}';
  assert.deepEqual(loadConfig(fileWith(t, text)), {
    deadline: seconds(2.5),
    carrierWait: seconds(2.5),
    broadcast: 'never',
    rapidCommit: false,
  });
});

test('what cannot be used is named, with the file', (t) => {
  const cases = [
    ['', /is not JSON/],
    ['{"dhcp":', /is not JSON/],
    ['[]', /must hold a JSON object/],
    ['"dhcp"', /must hold a JSON object/],
    ['{"dhcp":[]}', /dhcp: must be an object/],
    ['{"dhcp":null}', /dhcp: /],
    ['{"dhcpp":{}}', /dhcpp: .*keys of "dhcp": deadlineSeconds/],
    ['{"__proto__":{}}', /__proto__: /],
    ['{"dhcp":{"deadline":5}}', /dhcp\.deadline: .*deadlineSeconds/],
    ['{"dhcp":{"deadlineSeconds":"5"}}', /dhcp\.deadlineSeconds: .*Expected number/],
    ['{"dhcp":{"deadlineSeconds":0}}', /dhcp\.deadlineSeconds: must be more than 0/],
    ['{"dhcp":{"deadlineSeconds":1e9}}', /dhcp\.deadlineSeconds: must be more than 0 and at most 86400/],
    ['{"dhcp":{"carrierWaitSeconds":-1}}', /dhcp\.carrierWaitSeconds: must be more than 0/],
    ['{"dhcp":{"broadcast":"sometimes"}}', /dhcp\.broadcast: .*"auto" \| "always" \| "never"/],
    ['{"dhcp":{"rapidCommit":1}}', /dhcp\.rapidCommit: .*Expected boolean/],
    ['['.repeat(10_000), /nests too deep/],
  ] as const;
  for (const [text, message] of cases) {
    const path = fileWith(t, text);
    assert.throws(
      () => loadConfig(path),
      (error: unknown) => {
        assert.ok(error instanceof Error);
        assert.ok(error.message.startsWith(`--config ${path}: `), error.message);
        assert.match(error.message, message);
        assert.ok(!error.message.includes('\n'), error.message);
        return true;
      },
      text,
    );
  }
  assert.throws(
    () => loadConfig('/nowhere/config.json'),
    /--config \/nowhere\/config\.json: cannot be read: ENOENT/,
  );
  assert.throws(() => loadConfig(tmpdir()), /--config \S+: cannot be read: EISDIR/);
});
