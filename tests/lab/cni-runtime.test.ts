import assert from 'node:assert/strict';
import { readlinkSync, statSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ResultCache } from '../../src/lab/cni-cache.ts';
import { parseNetworkList } from '../../src/lab/cni-conf.ts';
import { CniPluginError } from '../../src/lab/cni-exec.ts';
import { CniRuntime } from '../../src/lab/cni-runtime.ts';
import { namespaceName, uniquePrefix } from '../../src/lab/names.ts';
import { Namespace } from '../../src/lab/namespace.ts';
import { Resources } from '../../src/lab/resources.ts';
import { fakePlugins } from '../support/fake-plugins.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';

const ATTACHMENT = {
  containerId: 'c1',
  netns: '/run/netns/x',
  ifName: 'eth0',
  args: { K8S_POD_NAME: 'web', IP: '10.0.0.1' },
  capabilityArgs: { mac: '02:00:00:00:00:01', portMappings: [] },
};

function list(cniVersion: string, more: object = {}) {
  const first = {
    type: 'first',
    name: 'its own',
    capabilities: { mac: true, ips: true, portMappings: false },
    mtu: 9,
  };
  return parseNetworkList(
    JSON.stringify({ cniVersion, name: 'net', plugins: [first, { type: 'second' }], ...more }),
  );
}

const result = (mark: string, cniVersion = '1.0.0'): string => JSON.stringify({ cniVersion, ips: [], mark });

test('ADD runs the chain in order, each plugin with the result of the one before', async (t) => {
  const plugins = await fakePlugins(t);
  await plugins.add('first', { ADD: { stdout: '{"ips":[],"mark":"1"}' } });
  await plugins.add('second', { ADD: { stdout: result('2') } });
  const runtime = new CniRuntime({ place: 'harmless', binDirs: ['/nowhere', plugins.binDir] });
  const added = await runtime.add(list('1.0.0'), ATTACHMENT);
  assert.deepEqual(added.result, { cniVersion: '1.0.0', ips: [], mark: '2' });
  assert.deepEqual(
    added.plugins.map(({ plugin }) => plugin),
    ['first', 'second'],
  );
  const [first, second] = await plugins.calls();
  assert.deepEqual(first?.env, {
    CNI_COMMAND: 'ADD',
    CNI_CONTAINERID: 'c1',
    CNI_NETNS: '/run/netns/x',
    CNI_IFNAME: 'eth0',
    CNI_ARGS: 'K8S_POD_NAME=web;IP=10.0.0.1',
    CNI_PATH: `/nowhere:${plugins.binDir}`,
  });
  // The list's name wins; only a capability declared as true is handed on; other keys stay.
  assert.deepEqual(first?.stdin, {
    type: 'first',
    name: 'net',
    cniVersion: '1.0.0',
    mtu: 9,
    capabilities: { mac: true, ips: true, portMappings: false },
    runtimeConfig: { mac: '02:00:00:00:00:01' },
  });
  // A result without a version is taken to be in the list's.
  const prevResult = { ips: [], mark: '1', cniVersion: '1.0.0' };
  assert.deepEqual(second?.stdin, { type: 'second', name: 'net', cniVersion: '1.0.0', prevResult });
});

test('DEL runs in reverse with the cached result, and without it before 0.4.0', async (t) => {
  for (const [version, cached] of [
    ['0.3.1', false],
    ['0.4.0', true],
    ['1.1.0', true],
  ] as const) {
    const plugins = await fakePlugins(t);
    await plugins.add('first', { ADD: { stdout: result('1', version) } });
    await plugins.add('second', { ADD: { stdout: result('2', version) } });
    const runtime = new CniRuntime({ place: 'harmless', binDirs: [plugins.binDir] });
    await runtime.add(list(version), ATTACHMENT);
    await runtime.del(list(version), ATTACHMENT);
    await runtime.del(list(version), ATTACHMENT);
    const dels = (await plugins.calls()).slice(2);
    assert.deepEqual(
      dels.map((call) => call.plugin),
      ['second', 'first', 'second', 'first'],
    );
    const marks = dels.map(({ stdin }) => (stdin['prevResult'] as { mark: string } | undefined)?.mark);
    assert.deepEqual(marks, cached ? ['2', '2', undefined, undefined] : Array(4).fill(undefined), version);
  }
});

test('a failing ADD is the error of the plugin, and the chain is deleted unless that is switched off', async (t) => {
  const plugins = await fakePlugins(t);
  await plugins.add('first', { ADD: { stdout: result('1') } });
  const error = JSON.stringify({ cniVersion: '1.0.0', code: 11, msg: 'try later', details: 'why' });
  await plugins.add('second', { ADD: { stdout: error, status: 1 }, DEL: { status: 1 } });
  const runtime = new CniRuntime({ place: 'harmless', binDirs: [plugins.binDir] });
  const fails = {
    name: 'CniPluginError',
    plugin: 'second',
    command: 'ADD',
    code: 11,
    msg: 'try later',
    details: 'why',
  };
  await assert.rejects(runtime.add(list('1.0.0'), ATTACHMENT, { delOnFailure: false }), fails);
  assert.equal((await plugins.calls()).length, 2);
  // The clean-up fails too here: the first error is the one told.
  await assert.rejects(runtime.add(list('1.0.0'), ATTACHMENT), fails);
  assert.deepEqual(
    (await plugins.calls()).slice(4).map((call) => call.env['CNI_COMMAND']),
    ['DEL'],
  );
});

test('answers that are no CNI answers are errors that show them', async (t) => {
  const cases = [
    [
      { stdout: '', stderr: 'panic: boom', status: 2 },
      /no error message on stdout, exit status 2: "panic: boom"/,
    ],
    [{ stdout: 'not json', status: 1 }, /not an error object: not json/],
    [{ stdout: '' }, /success, but not a result: ""/],
    [{ stdout: '[]' }, /success, but not a result/],
  ] as const;
  for (const [answer, expected] of cases) {
    const plugins = await fakePlugins(t);
    await plugins.add('first', { ADD: answer });
    await plugins.add('second');
    const runtime = new CniRuntime({ place: 'harmless', binDirs: [plugins.binDir] });
    await assert.rejects(runtime.add(list('1.0.0'), ATTACHMENT), (error) => {
      assert.ok(error instanceof CniPluginError);
      assert.match(error.message, expected);
      return true;
    });
  }
});

test('CHECK wants 0.4.0 and an attachment, and gives every plugin the cached result', async (t) => {
  const plugins = await fakePlugins(t);
  await plugins.add('first', { ADD: { stdout: result('1') } });
  await plugins.add('second', { ADD: { stdout: result('2') } });
  const runtime = new CniRuntime({ place: 'harmless', binDirs: [plugins.binDir] });
  await assert.rejects(runtime.check(list('0.3.1'), ATTACHMENT), /has no CHECK/);
  await assert.rejects(runtime.check(list('1.0.0'), ATTACHMENT), /not attached/);
  await runtime.add(list('1.0.0'), ATTACHMENT);
  await runtime.check(list('1.0.0', { disableCheck: 'True' }), ATTACHMENT);
  await runtime.check(list('1.0.0'), ATTACHMENT);
  const checks = (await plugins.calls()).slice(2);
  assert.deepEqual(
    checks.map((call) => [call.plugin, call.env['CNI_COMMAND'], call.stdin['prevResult']]),
    [
      ['first', 'CHECK', JSON.parse(result('2'))],
      ['second', 'CHECK', JSON.parse(result('2'))],
    ],
  );
});

test('GC deletes what is cached and not valid, then names the valid ones', async (t) => {
  const plugins = await fakePlugins(t);
  await plugins.add('first', { ADD: { stdout: result('1', '1.1.0') } });
  await plugins.add('second', { ADD: { stdout: result('2', '1.1.0') } });
  const runtime = new CniRuntime({ place: 'harmless', binDirs: [plugins.binDir] });
  const stale = { ...ATTACHMENT, containerId: 'stale' };
  await runtime.add(list('1.1.0'), ATTACHMENT);
  await runtime.add(list('1.1.0'), stale);
  await runtime.gc(list('1.1.0', { disableGC: true }), []);
  await runtime.gc(list('1.1.0'), [ATTACHMENT]);
  const calls = (await plugins.calls()).slice(4);
  assert.deepEqual(
    calls.map(({ plugin, env }) => [plugin, env['CNI_COMMAND'], env['CNI_CONTAINERID']]),
    [
      ['second', 'DEL', 'stale'],
      ['first', 'DEL', 'stale'],
      ['first', 'GC', ''],
      ['second', 'GC', ''],
    ],
  );
  const valid = [{ containerID: 'c1', ifname: 'eth0' }];
  assert.deepEqual(calls[2]?.stdin['cni.dev/valid-attachments'], valid);
});

test('STATUS asks every plugin from 1.1.0 on, and VERSION gives the list', async (t) => {
  const plugins = await fakePlugins(t);
  const notReady = JSON.stringify({ cniVersion: '1.1.0', code: 50, msg: 'daemon away' });
  const versions = JSON.stringify({ cniVersion: '1.1.0', supportedVersions: ['0.4.0', '1.1.0'] });
  await plugins.add('first', { VERSION: { stdout: versions } });
  await plugins.add('second', { STATUS: { stdout: notReady, status: 1 } });
  const runtime = new CniRuntime({ place: 'harmless', binDirs: [plugins.binDir] });
  await runtime.status(list('1.0.0'));
  assert.equal((await plugins.calls()).length, 0);
  await assert.rejects(runtime.status(list('1.1.0')), { code: 50, plugin: 'second' });
  assert.deepEqual(await runtime.version('first'), ['0.4.0', '1.1.0']);
});

test('results outlive the runtime in a folder', async (t) => {
  const plugins = await fakePlugins(t);
  await plugins.add('first', { ADD: { stdout: result('1') } });
  await plugins.add('second', { ADD: { stdout: result('2') } });
  const folder = await mkdtemp(join(tmpdir(), `lh${process.pid}-cache-`));
  t.after(async () => await rm(folder, { recursive: true }));
  const open = async () =>
    new CniRuntime({
      place: 'harmless',
      binDirs: [plugins.binDir],
      cache: await ResultCache.inFolder(folder),
    });
  await (await open()).add(list('1.0.0'), ATTACHMENT);
  const later = await open();
  assert.deepEqual(later.cachedResult(list('1.0.0'), ATTACHMENT), JSON.parse(result('2')));
  await later.del(list('1.0.0'), ATTACHMENT);
  assert.equal((await open()).cachedResult(list('1.0.0'), ATTACHMENT), undefined);
});

test('what a runtime refuses before any plugin runs', async (t) => {
  const plugins = await fakePlugins(t);
  const runtime = new CniRuntime({ place: 'harmless', binDirs: [plugins.binDir] });
  await assert.rejects(runtime.add(list('1.0.0'), ATTACHMENT), /no plugin "first" in/);
  for (const ifName of ['', 'a/b', 'a b', '..', 'sixteen-letters-']) {
    await assert.rejects(runtime.add(list('1.0.0'), { ...ATTACHMENT, ifName }), /interface name/, ifName);
  }
  await assert.rejects(runtime.add(list('1.0.0'), { ...ATTACHMENT, containerId: '../x' }), /container id/);
});

test("plugins run in the node's network namespace, not in the caller's", { skip: NEEDS_ROOT }, async (t) => {
  const plugins = await fakePlugins(t);
  const script = '#!/bin/sh\nprintf \'{"cniVersion":"1.0.0","ns":"%s"}\' "$(readlink /proc/self/ns/net)"\n';
  await writeFile(join(plugins.binDir, 'where'), script, { mode: 0o755 });
  await using resources = new Resources();
  const node = await Namespace.create(namespaceName(uniquePrefix(), 'node'), resources);
  const runtime = new CniRuntime({ place: node, binDirs: [plugins.binDir] });
  const network = parseNetworkList('{"cniVersion":"1.0.0","name":"net","plugins":[{"type":"where"}]}');
  const added = await runtime.add(network, ATTACHMENT);
  assert.equal(added.result['ns'], `net:[${statSync(node.path).ino}]`);
  assert.notEqual(added.result['ns'], readlinkSync('/proc/self/ns/net'));
});
