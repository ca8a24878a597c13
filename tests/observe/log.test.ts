import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { isPlain } from '../../src/base/outside-text.ts';

const LOG = join(import.meta.dirname, '..', '..', 'src', 'observe', 'log.ts');
const HOSTILE = 'go\u202E away\u2028\u001B[2J\u{E0041}';

test('a line of the log shows what a server wrote, means the same, and deceives nobody', () => {
  const script = `
    const { createLog } = await import(${JSON.stringify(LOG)});
    const text = JSON.parse(process.argv[1]);
    createLog('info').warn({ text, list: [text] }, 'the server refused: ' + text);
  `;
  const { stderr, status } = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', script, JSON.stringify(HOSTILE)],
    { encoding: 'utf8' },
  );
  assert.equal(status, 0, stderr);
  const [line = '', rest] = stderr.split('\n');
  assert.equal(rest, '');
  assert.ok(isPlain(line), line);
  const { text, list, msg } = JSON.parse(line) as Readonly<Record<string, unknown>>;
  assert.deepEqual([text, list, msg], [HOSTILE, [HOSTILE], `the server refused: ${HOSTILE}`]);
});
