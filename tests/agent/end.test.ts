import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { waitFor } from '../../src/lab/wait.ts';
import { addVariables, callRelay, lanSite, type LanSite, newPod } from '../daemon/support/lan.ts';
import { endBy, LEASEHOLD, type Site } from '../daemon/support/site.ts';
import type { ApiState } from '../support/api-server.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { makePki, type Pki } from '../support/kube-api.ts';
import { startApi } from '../support/scripted-api.ts';
import {
  type Agent,
  agentArguments,
  assertInstalled,
  foldersIn,
  namesIn,
  startAgent,
} from './support/agents.ts';

const options = { skip: NEEDS_ROOT };
const CONF = JSON.stringify({ cniVersion: '1.1.0', name: 'lan', type: 'leasehold' });
const TOKEN = 'a-token';
const CLUSTER: ApiState = { token: TOKEN, cidrs: { kubernetes: ['10.96.0.0/16'] } };
const THERE: ApiState = { ...CLUSTER, daemonSet: { uid: 'a' } };

/** A kubeconfig for the scripted API, as an agent outside of a pod needs one. */
async function kubeconfigFor(site: Site, pki: Pki): Promise<string> {
  const path = join(site.folder, 'kubeconfig');
  const cluster = '- cluster:\n    certificate-authority: ca.crt\n    server: https://127.0.0.1:6443\n';
  await writeFile(join(site.folder, 'ca.crt'), await pki.text('ca.crt'));
  await writeFile(join(site.folder, 'token'), `${TOKEN}\n`);
  await writeFile(path, `clusters:\n${cluster}users:\n- user:\n    tokenFile: token\n`, { mode: 0o600 });
  return path;
}

async function clusterSite(t: TestContext) {
  const site = await lanSite(t);
  const pki = await makePki();
  t.after(async () => await pki[Symbol.asyncDispose]());
  const api = await startApi(site, pki, THERE);
  const flags = ['--kubeconfig', await kubeconfigFor(site, pki), '--daemonset', 'kube-system/leasehold'];
  const start = async (name: string): Promise<Agent> => {
    const agent = await startAgent(site, name, { args: flags });
    await waitFor('the DaemonSet to be seen', () => /"state":"there"/.test(agent.log()));
    return agent;
  };
  return { site, api, flags, start };
}

/** What carries our marks in the node's namespace, and the sysctl that is changed for a pod. */
async function hostSide(site: LanSite): Promise<string> {
  const [links, rules, tables, forwarding] = await Promise.all([
    site.namespace.ip('-o', 'link', 'show', 'type', 'macvlan'),
    site.namespace.ip('rule', 'show'),
    site.namespace.runToEnd(['nft', 'list', 'tables']),
    site.namespace.runToEnd(['sysctl', 'net.ipv4.conf.eth0.forwarding']),
  ]);
  return [links, rules, tables.stdout, forwarding.stdout].join('\n');
}

async function attach(site: LanSite, name: string): Promise<() => Promise<void>> {
  const pod = await newPod(site, name);
  const added = await callRelay(site, addVariables(pod), CONF, 'leasehold');
  assert.equal(added.status, 0, added.stdout);
  return async () => {
    const deleted = await callRelay(site, { ...addVariables(pod), CNI_COMMAND: 'DEL' }, CONF, 'leasehold');
    assert.equal(deleted.status, 0, deleted.stdout);
  };
}

function assertNothingOfUs(site: Site): void {
  const { bin, conf } = foldersIn(site);
  assert.deepEqual([namesIn(bin), namesIn(conf)], [[], []]);
}

test(
  'stopped while its DaemonSet is there, or the API is silent, all stays; when it is deleted, nothing does',
  options,
  async (t) => {
    const { site, api, start } = await clusterSite(t);
    const { bin, conf } = foldersIn(site);
    await mkdir(dirname(bin), { recursive: true });
    await mkdir(conf, { recursive: true });
    await writeFile(join(conf, '10-flannel.conflist'), '{}');
    const before = await hostSide(site);
    const first = await start('first');
    const detach = await attach(site, 'pod');
    assert.notEqual(await hostSide(site), before);
    assert.equal(await endBy(first.process, 'SIGTERM'), 'exit status 0');
    assert.deepEqual(namesIn(bin), ['leasehold', 'loopback']);

    const second = await start('second');
    await detach();
    // Whoever takes the role away takes nothing from the node by it.
    await api.become({ ...THERE, hidesDaemonSet: true });
    assert.equal(await endBy(second.process, 'SIGTERM'), 'exit status 0');
    assert.deepEqual(namesIn(bin), ['leasehold', 'loopback']);

    await api.become(THERE);
    const third = await start('third');
    await api.become(CLUSTER);
    assert.equal(await endBy(third.process, 'SIGTERM'), 'exit status 0');
    assert.ok(!existsSync(bin), 'the folder was not there');
    assert.deepEqual(namesIn(conf), ['10-flannel.conflist']);
    assert.equal(await hostSide(site), before);
    assert.ok(!existsSync(site.stateDir) && !existsSync(dirname(site.socket)), third.log());
  },
);

test('helm uninstall: the roles go in the same moment, and the watch has told', options, async (t) => {
  const { site, api, start } = await clusterSite(t);
  const agent = await start('agent');
  assertInstalled(site);
  await api.become({ ...CLUSTER, hidesDaemonSet: true });
  assert.equal(await endBy(agent.process, 'SIGTERM'), 'exit status 0');
  assertNothingOfUs(site);
});

test(
  'deleted and made anew at once: all stays, and the pods of the new one go on with it',
  options,
  async (t) => {
    const { site, api, flags, start } = await clusterSite(t);
    const before = await hostSide(site);
    const agent = await start('agent');
    const detach = await attach(site, 'pod');
    await api.become(CLUSTER);
    await waitFor('the deletion to be seen', () => /"state":"deleted"/.test(agent.log()));
    // The service account is another one as well: only the watch that is open tells of it.
    await api.become({ ...CLUSTER, daemonSet: { uid: 'b' }, hidesDaemonSet: true });
    await waitFor('the new one to be seen', () => agent.log().split('"state":"there"').length === 3);
    const next = await startAgent(site, 'next', { args: flags });
    assert.equal(await endBy(agent.process, 'SIGTERM'), 'exit status 0');
    assertInstalled(site);
    assert.doesNotMatch(agent.log(), /"msg":"(removed|put back) /);
    assert.notEqual(await hostSide(site), before);
    await waitFor('the next to serve', () => /leasehold is ready/.test(next.log()));
    await detach();
    await api.become({ ...CLUSTER, daemonSet: { uid: 'b' } });
    await waitFor('it to be seen', () => /"state":"there"/.test(next.log()));
    // Then that is the one whose deletion counts.
    await api.become(CLUSTER);
    assert.equal(await endBy(next.process, 'SIGTERM'), 'exit status 0');
    assertNothingOfUs(site);
  },
);

test('deleted while pods run: their records stay, and the next agent takes them up', options, async (t) => {
  const { site, api, start } = await clusterSite(t);
  const agent = await start('agent');
  const standby = await start('standby');
  const detach = await attach(site, 'pod');
  await api.become({ ...CLUSTER, daemonSet: { uid: 'a', isLeaving: true } });
  // At the end of a DaemonSet all of its pods on a node are stopped.
  const ended = endBy(agent.process, 'SIGTERM');
  assert.equal(await endBy(standby.process, 'SIGTERM'), 'exit status 0');
  assert.equal(await ended, 'exit status 0');
  assertNothingOfUs(site);
  assert.equal(namesIn(join(site.stateDir, 'leases')).length, 1);

  await api.become({ ...CLUSTER, daemonSet: { uid: 'b' } });
  const next = await start('next');
  assertInstalled(site);
  await detach();
  assert.equal(namesIn(join(site.stateDir, 'leases')).length, 0);
  await endBy(next.process, 'SIGKILL');
});

test('agent --remove: for a node that was away, and not beside an agent', options, async (t) => {
  const site = await lanSite(t);
  const agent = await startAgent(site, 'agent');
  const remove = async () => await site.namespace.runToEnd([LEASEHOLD, ...agentArguments(site), '--remove']);
  const refused = await remove();
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /^leasehold: an agent or a daemon runs on this node/);
  assertInstalled(site);
  await endBy(agent.process, 'SIGKILL');
  const removed = await remove();
  assert.equal(removed.status, 0, removed.stderr);
  assert.match(removed.stdout, /^removed .*05-leasehold\.conflist\nremoved .*bin\/leasehold\n/);
  assertNothingOfUs(site);
  assert.ok(!existsSync(site.stateDir));
  assert.equal((await remove()).status, 0, 'once more');
});

test(
  'on a node where "leasehold install" was run the agent does not start, and says what to do',
  options,
  async (t) => {
    const site = await lanSite(t);
    await mkdir(site.stateDir, { mode: 0o700 });
    const manifest = JSON.stringify({ version: 1, phase: 'installed', entries: [] });
    await writeFile(join(site.stateDir, 'install.json'), manifest, { mode: 0o600 });
    const refused = await site.namespace.runToEnd([LEASEHOLD, ...agentArguments(site)]);
    assert.equal(refused.status, 1);
    assert.match(
      refused.stderr,
      /^leasehold: "leasehold install" was run on this node .*run "leasehold uninstall" there first/,
    );
    assert.ok(!refused.stderr.includes('\n    at '), 'what kubectl describe pod shows is one line');
    assert.deepEqual(namesIn(foldersIn(site).bin), []);
  },
);
