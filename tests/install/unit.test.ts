import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { unitText } from '../../src/install/unit.ts';
import { runToEnd } from '../../src/lab/process.ts';
import { temporaryFolder } from './support/folder.ts';

/** In tenths, as systemd-analyze takes it: what the unit has now, so that nobody makes it weaker unseen. */
const MOST_EXPOSED = 33;

const OPTIONS = { tree: '/opt/lh', configPath: undefined, serviceCidrs: [] };

/** A root with the unit and the few others that it names. */
function rootWith(t: TestContext, text: string): string {
  const root = temporaryFolder(t);
  const units = join(root, 'etc/systemd/system');
  mkdirSync(units, { recursive: true });
  writeFileSync(join(units, 'leasehold.service'), text);
  for (const name of ['sysinit', 'basic', 'network', 'local-fs', 'shutdown', 'multi-user']) {
    writeFileSync(join(units, `${name}.target`), '[Unit]\nDescription=stands for it\n');
  }
  for (const program of ['opt/lh/bin/leasehold', 'bin/kill']) {
    mkdirSync(join(root, program, '..'), { recursive: true });
    writeFileSync(join(root, program), '', { mode: 0o755 });
  }
  return root;
}

describe('the unit', () => {
  test('is one that systemd understands, without a remark', async (t) => {
    const root = rootWith(t, unitText(OPTIONS));
    const checked = await runToEnd(['systemd-analyze', 'verify', `--root=${root}`, 'leasehold.service']);
    assert.deepEqual([checked.status, checked.stdout, checked.stderr], [0, '', '']);
    const wrong = rootWith(t, unitText(OPTIONS).replace('ProtectClock', 'ProtectClocks'));
    const said = await runToEnd(['systemd-analyze', 'verify', `--root=${wrong}`, 'leasehold.service']);
    assert.match(said.stderr, /ProtectClocks/);
  });

  test('exposes no more than it has to', async (t) => {
    const root = rootWith(t, unitText(OPTIONS));
    const command = ['systemd-analyze', 'security', '--offline=true', `--root=${root}`, '--no-pager'];
    const { status, stdout } = await runToEnd([
      ...command,
      `--threshold=${MOST_EXPOSED}`,
      'leasehold.service',
    ]);
    assert.equal(status, 0, stdout.slice(-500));
    assert.match(stdout, /Overall exposure level for leasehold\.service: \d\.\d OK/);
  });

  test('a path with spaces, quotes, percent and dollar signs arrives as it is', () => {
    const text = unitText({ ...OPTIONS, configPath: String.raw`/etc/a b"c\d%e$f` });
    assert.ok(text.includes(String.raw`"--config" "/etc/a b\"c\\d%%e$$f"`), text);
  });
});
