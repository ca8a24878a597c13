import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isJsonObject } from '../../src/base/json.ts';
import { signalProcess } from '../../src/lab/long-process.ts';
import { isErrno } from '../../src/lab/errno.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { addVariables, callRelay, lanSite, newPod } from '../daemon/support/lan.ts';
import { emptySite, endBy, get, LEASEHOLD } from '../daemon/support/site.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { agentArguments, assertInstalled, foldersIn, namesIn, probe, startAgent } from './support/agents.ts';

const options = { skip: NEEDS_ROOT };

/** A volume of a ConfigMap as the kubelet lays it out: the files are links into a folder that is exchanged as a whole. */
async function configMap(folder: string, version: string, files: Readonly<Record<string, string>>) {
  const data = join(folder, `..${version}`);
  await mkdir(data, { recursive: true });
  await chmod(folder, 0o777);
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(data, name), text, { mode: 0o644 });
    if (!existsSync(join(folder, name))) await symlink(join('..data', name), join(folder, name));
  }
  await symlink(`..${version}`, join(folder, '..data_tmp'));
  await rename(join(folder, '..data_tmp'), join(folder, '..data'));
}

test('configuration and network configuration come from a ConfigMap', options, async (t) => {
  const site = await emptySite(t);
  const folder = join(site.folder, 'etc/leasehold');
  const network = '{"cniVersion":"1.1.0","name":"home","plugins":[{"type":"leasehold","master":"eth*"}]}';
  const daemon = JSON.stringify({ node: 'a-node-of-the-map', services: ['10.96.0.0/16'] });
  await configMap(folder, '2026_01', { 'daemon.json': daemon, '05-leasehold.conflist': network });
  const args = ['--config', join(folder, 'daemon.json'), '--conflist', join(folder, '05-leasehold.conflist')];
  const agent = await startAgent(site, 'agent', { args });
  assertInstalled(site);
  const { conf } = foldersIn(site);
  const installed = (): string => readFileSync(join(conf, '05-leasehold.conflist'), 'utf8');
  assert.equal(installed(), `${network}\n`);
  const { json } = await get(site.socket, '/v1/host');
  assert.deepEqual(isJsonObject(json) ? json['services'] : undefined, ['10.96.0.0/16']);

  // What the map says later counts from the next start on.
  const other = network.replace('home', 'other');
  await configMap(folder, '2026_02', { 'daemon.json': '{}', '05-leasehold.conflist': other });
  const next = await startAgent(site, 'next', { args });
  assert.equal(installed(), `${network}\n`);
  await endBy(agent.process, 'SIGTERM');
  await waitFor('the next to serve', async () => (await probe(site, next, 'ready')).stdout === 'ready\n');
  assert.equal(installed(), `${other}\n`);

  // The standby has read it before it says that it is ready.
  const misspelled = other.replace('"master"', '"masterr"');
  const refusals: readonly (readonly [string, string, RegExp])[] = [
    ['{"servces":[]}', other, /^leasehold: --config .*servces: is no key: did you mean "services"\?/m],
    ['{}', misspelled, /^leasehold: --conflist .*masterr: is no key: did you mean "master"\?/m],
  ];
  for (const [at, [config, conflist, why]] of refusals.entries()) {
    await configMap(folder, `2026_03_${at}`, { 'daemon.json': config, '05-leasehold.conflist': conflist });
    const refused = await site.namespace.runToEnd([
      LEASEHOLD,
      ...agentArguments(site),
      ...args,
      '--probe-socket',
      join(site.folder, 'third/probe.sock'),
    ]);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, why);
  }
  assert.equal(installed(), `${other}\n`);
});

test('the probe says what is: ready, why not, nobody there', options, async (t) => {
  const site = await emptySite(t);
  const agent = await startAgent(site, 'agent');
  assert.deepEqual(await probe(site, agent, 'ready'), { status: 0, stdout: 'ready\n' });
  assert.deepEqual(await probe(site, agent, 'live'), { status: 0, stdout: 'live\n' });
  assert.deepEqual(await probe(site, agent, 'rady'), {
    status: 2,
    stdout: 'usage: leasehold-probe ready|live\n',
  });

  const { bin, conf } = foldersIn(site);
  // The agent puts its plugin back meanwhile.
  await waitFor('a folder to be in its place', async () => {
    await rm(join(bin, 'leasehold'), { force: true });
    return await mkdir(join(bin, 'leasehold')).then(
      () => true,
      (error: unknown) => {
        if (isErrno(error, 'EEXIST')) return false;
        throw error;
      },
    );
  });
  await waitFor(
    'the folder in the way to be seen',
    async () => (await probe(site, agent, 'ready')).status === 1,
  );
  assert.match(
    (await probe(site, agent, 'ready')).stdout,
    /bin\/leasehold is neither a file nor a link: move it away\n$/,
  );
  assert.equal((await probe(site, agent, 'live')).status, 0, 'a new start would not help');
  assert.deepEqual(namesIn(conf), ['05-leasehold.conflist'], 'STATUS tells the runtime; the network stays');
  await rm(join(bin, 'leasehold'), { recursive: true });
  await waitFor('all to be well', async () => (await probe(site, agent, 'ready')).status === 0);
  assertInstalled(site);

  signalProcess(agent.process, 'SIGSTOP');
  const hung = await probe(site, agent, 'live');
  signalProcess(agent.process, 'SIGCONT');
  assert.deepEqual([hung.status, /did not answer in time/.test(hung.stdout)], [1, true], hung.stdout);
  await endBy(agent.process, 'SIGKILL');
  const away = await probe(site, agent, 'live');
  assert.deepEqual([away.status, /Connection refused/.test(away.stdout)], [1, true], away.stdout);
});

test(
  'a mounted folder that the node removes is told by both probes: only another container sees the new one',
  options,
  async (t) => {
    const site = await emptySite(t);
    const { bin } = foldersIn(site);
    const onNode = join(site.folder, 'node-bin');
    await mkdir(onNode);
    await mkdir(bin, { recursive: true });
    const wrap = ['unshare', '--mount', 'sh', '-ec', `mount --bind ${onNode} ${bin} && exec "$@"`, 'sh'];
    const agent = await startAgent(site, 'agent', { wrap });
    assert.deepEqual(namesIn(onNode), ['leasehold', 'loopback']);
    // The agent puts its plugin back meanwhile.
    await rm(onNode, { recursive: true, maxRetries: 20 });
    await waitFor('the probe to fail', async () => (await probe(site, agent, 'live')).status === 1);
    assert.match((await probe(site, agent, 'ready')).stdout, /was removed while it is mounted here/);
  },
);

test('an ADD that is under way when the agent is stopped ends as it would have', options, async (t) => {
  const site = await lanSite(t);
  const plugins = join(site.folder, 'plugins');
  await mkdir(plugins);
  const slow =
    '#!/bin/sh\ncd "${0%/*}"; touch begun; while [ ! -e go ]; do sleep 0.05; done\necho \'{"cniVersion":"1.0.0","ips":[{"address":"10.7.0.2/24"}]}\'\n';
  await writeFile(join(plugins, 'slow'), slow, { mode: 0o755 });
  const conf = JSON.stringify({
    cniVersion: '1.0.0',
    name: 'lan',
    type: 'macvlan',
    master: 'eth0',
    ipam: { type: 'slow' },
  });
  const agent = await startAgent(site, 'agent');
  const next = await startAgent(site, 'next');
  const variables = { ...addVariables(await newPod(site, 'pod')), CNI_PATH: plugins };
  const adding = callRelay(site, variables, conf);
  await waitFor('the ADD to be under way', () => existsSync(join(plugins, 'begun')));
  signalProcess(agent.process, 'SIGTERM');
  await waitFor('the stop', () => agent.log().includes('leasehold stops'));
  await writeFile(join(plugins, 'go'), '');
  const added = await adding;
  assert.equal(added.status, 0, added.stdout);
  assert.equal(await waitFor('the end', () => agent.process.ended()), 'exit status 0');
  await waitFor('the next to serve', async () => (await probe(site, next, 'ready')).stdout === 'ready\n');
  const deleted = await callRelay(site, { ...variables, CNI_COMMAND: 'DEL' }, conf);
  assert.equal(deleted.status, 0, deleted.stdout);
});

test('a standby that could not serve does not say that it is ready', options, async (t) => {
  const site = await emptySite(t);
  const agent = await startAgent(site, 'agent');
  const { bin } = foldersIn(site);
  // What a mistake in a manifest does: the folder is mounted read-only.
  const script = `mount --bind ${bin} ${bin} && mount -o remount,bind,ro ${bin} && exec "$@"`;
  const probeSocket = join(site.folder, 'blind', 'probe.sock');
  const blind = await site.namespace.start(
    [
      'unshare',
      '--mount',
      'sh',
      '-ec',
      script,
      'sh',
      LEASEHOLD,
      ...agentArguments(site),
      '--probe-socket',
      probeSocket,
    ],
    { name: 'agent blind', logFile: join(site.folder, 'blind.log') },
    site.resources,
  );
  await waitFor('the reason', async () =>
    /read-only/.test((await probe(site, { probeSocket }, 'ready')).stdout),
  );
  assert.equal((await probe(site, { probeSocket }, 'ready')).status, 1);
  assert.equal((await probe(site, agent, 'ready')).status, 0);
  assert.equal(blind.ended(), undefined);
});

test('flags that cannot be meant are refused by their name', options, async (t) => {
  const site = await emptySite(t);
  for (const [args, status, message] of [
    [['--daemonset', 'leasehold'], 1, /^leasehold: --daemonset leasehold: must be NAMESPACE\/NAME/m],
    [
      ['--conflist-name', 'lan.conf'],
      1,
      /^leasehold: --conflist-name lan\.conf: must be the name of a file/m,
    ],
    [['--cni-bin-dir', 'bin'], 2, /^leasehold: --cni-bin-dir bin: must be an absolute path/m],
    [
      ['--probe-socket', 'probe.sock'],
      1,
      /^leasehold: --probe-socket probe\.sock: must be an absolute path/m,
    ],
  ] as const) {
    const probeSocket = ['--probe-socket', join(site.folder, 'probe/probe.sock')];
    const command = [LEASEHOLD, ...agentArguments(site), ...probeSocket, ...args];
    const refused = await site.namespace.runToEnd(command, { timeoutMs: 20_000 });
    assert.equal(refused.status, status, refused.stderr);
    assert.match(refused.stderr, message);
    assert.deepEqual(namesIn(foldersIn(site).bin), []);
  }
});
