import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { cidr } from '../../src/base/cidr.ts';
import type { JsonObject } from '../../src/base/json.ts';
import { getOverSocket } from '../../src/lab/daemon.ts';
import { signalProcess, stopProcess } from '../../src/lab/long-process.ts';
import { createPod, type Pod } from '../../src/lab/pods.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { addressIn, networkOf } from '../plugins/support/site.ts';
import { daemonSetPod, kubeconfigOf } from '../support/as-daemon-set.ts';
import { homeLan, NEEDS_ROOT } from '../support/home-lan.ts';
import { makePki } from '../support/kube-api.ts';
import { type RunningLeasehold, startLeasehold } from '../support/leasehold.ts';
import { startApi } from '../support/scripted-api.ts';
import { emptySite, get, startAt } from './support/site.ts';

// A node that boots before its API, kube-proxy or anything else of its cluster is there.

const options = { skip: NEEDS_ROOT };
const LEASEHOLD = networkOf([{ type: 'leasehold' }]);
const SERVICE_HOST = '10.96.0.1';
const SERVICE = { KUBERNETES_SERVICE_HOST: SERVICE_HOST, KUBERNETES_SERVICE_PORT: '443' };
const API = 'https://127.0.0.1:6443';
/** The resolver is away. */
const NAMED = 'https://cluster-endpoint:6443';
const WEB = { IgnoreUnknown: '1', K8S_POD_NAMESPACE: 'shop', K8S_POD_NAME: 'web-0' };

/** A request that nobody answers is given up after 15 s, and begun anew 1 to 2 s later (docs/limits.md). */
const ANSWER_MS = 40_000;

/** Glibc's own patience would be 40 s for these name servers. */
const LOOKUP_MS = 25_000;

type View = {
  readonly services: readonly string[];
  readonly serviceSources: readonly { readonly source: string; readonly remembered: boolean }[];
  readonly kubernetes: { readonly server: string | null; readonly problem: string | null } | null;
};

async function viewOf({ socket }: Pick<RunningLeasehold, 'socket'>): Promise<View> {
  return JSON.parse((await getOverSocket(socket, '/v1/host'))?.body ?? '{}') as View;
}

async function waitForServer(daemon: RunningLeasehold, server: string): Promise<void> {
  await waitFor(
    `${server} to answer`,
    async () => {
      const { kubernetes } = await viewOf(daemon);
      return kubernetes?.server === server && kubernetes.problem === null;
    },
    { deadlineMs: ANSWER_MS, describe: async () => JSON.stringify(await viewOf(daemon)) },
  );
}

async function waitForRoutes({ namespace }: Pod, ...networks: readonly string[]): Promise<void> {
  await waitFor(`the pod to have routes to ${networks.join(', ')}`, async () => {
    const routes = await namespace.ip('-4', 'route', 'show', 'via', '169.254.1.1');
    const there = routes.split('\n').flatMap((line) => line.split(' ', 1)[0] || []);
    return there.toSorted().join() === networks.join();
  });
}

test(
  'a node that boots without its API serves its pods from the disk, and hears of the API by whichever way comes first',
  options,
  async (t) => {
    const lan = await homeLan(t, { hosts: { node: { address: cidr('192.168.2.125/24') } } });
    const node = lan.node.namespace;
    await using pki = await makePki();
    const place = { namespace: node, folder: lan.folder, resources: lan.resources };
    const daemonSet = await daemonSetPod(lan.folder, pki);
    const config = join(lan.folder, 'daemon.json');
    await writeFile(config, JSON.stringify({ dhcp: { clientId: 'pod', mac: 'pod' } }));
    const start = async (within: readonly string[]) =>
      await startLeasehold(lan, { within, env: SERVICE, args: ['--config', config] });
    /** What kube-proxy has done of the service's address, or has not. */
    const service = async (verdict: string): Promise<void> =>
      void (await node.run([
        'nft',
        `flush chain ip proxy output; add rule ip proxy output ip daddr ${SERVICE_HOST} ${verdict}`,
      ]));
    await node.run([
      'nft',
      'add table ip proxy; add chain ip proxy output { type nat hook output priority -100; }',
    ]);
    const addWeb = async (daemon: RunningLeasehold, name: string): Promise<readonly [Pod, JsonObject]> => {
      const { prefix, resources } = lan;
      const pod = await createPod(name, { prefix, resources, args: WEB });
      return [pod, (await daemon.runtime.add(LEASEHOLD, pod.attachment)).result];
    };

    await writeFile(daemonSet.kubeconfig, kubeconfigOf(API));
    await service('drop');
    const state = { cidrs: { kubernetes: ['10.96.0.0/16'] }, token: daemonSet.token };
    const before = await startApi(place, pki, state);
    const first = await start(daemonSet.within);
    await waitForServer(first, API);
    const [old, oldResult] = await addWeb(first, 'web');
    await waitForRoutes(old, '10.96.0.0/16');

    // The power goes: no process is left, no namespace; the disk stays. Neither server answers when it is back.
    signalProcess(first.process(), 'SIGKILL');
    await stopProcess(before.process);
    await node.ip('link', 'del', 'lh0');
    await old.namespace.ip('link', 'del', 'eth0');
    await writeFile(daemonSet.kubeconfig, kubeconfigOf(NAMED));
    const second = await start(await daemonSet.rebooted());
    const { services, serviceSources, kubernetes } = await viewOf(second);
    assert.deepEqual(services, ['10.96.0.0/16']);
    assert.equal(serviceSources[0]?.remembered, true);
    assert.equal(kubernetes?.server, null);
    const [again, result] = await addWeb(second, 'web-again');
    assert.equal(addressIn(result), addressIn(oldResult));
    await waitForRoutes(again, '10.96.0.0/16');

    // kube-proxy comes, and with it the service; nobody knows the name of the kubelet's server.
    await startApi(place, pki, {
      ...state,
      cidrs: { kubernetes: ['10.96.0.0/16'], more: ['172.20.0.0/20'] },
    });
    await service('tcp dport 443 dnat to 127.0.0.1:6443');
    await waitForServer(second, `https://${SERVICE_HOST}`);
    await waitForRoutes(again, '10.96.0.0/16', '172.20.0.0/20');
    assert.equal(
      (await viewOf(second)).serviceSources.every(({ remembered }) => !remembered),
      true,
    );

    // The other way round.
    await service('drop');
    await writeFile(daemonSet.kubeconfig, kubeconfigOf(API));
    await second.stop();
    const third = await start(daemonSet.within);
    await waitForServer(third, API);
    await third.runtime.del(LEASEHOLD, again.attachment);
  },
);

test(
  'the first boot of a cluster: pods come before anybody says where the services are, and get their routes then',
  options,
  async (t) => {
    const lan = await homeLan(t, { hosts: { node: { address: cidr('192.168.2.125/24') } } });
    await using pki = await makePki();
    const daemonSet = await daemonSetPod(lan.folder, pki);
    // Without kube-proxy nobody is there; that nobody even refuses costs the 15 s of a request more.
    await lan.node.namespace.ip('route', 'add', 'unreachable', SERVICE_HOST);
    const daemon = await startLeasehold(lan, { within: daemonSet.within, env: SERVICE });
    assert.deepEqual((await viewOf(daemon)).services, []);
    const pod = await createPod('pod', lan);
    await daemon.runtime.add(LEASEHOLD, pod.attachment);
    await waitForRoutes(pod);
    const place = { namespace: lan.node.namespace, folder: lan.folder, resources: lan.resources };
    await startApi(place, pki, { cidrs: { kubernetes: ['10.96.0.0/16'] }, token: daemonSet.token });
    // Into the file that is mounted. The certificates that it names are not there.
    await writeFile(daemonSet.kubeconfig, kubeconfigOf(API));
    await waitForServer(daemon, API);
    await waitForRoutes(pod, '10.96.0.0/16');
    await daemon.runtime.del(LEASEHOLD, pod.attachment);
  },
);

test('what earlier versions kept of the service networks is taken over, once', options, async (t) => {
  const site = await emptySite(t);
  await using pki = await makePki();
  const { within } = await daemonSetPod(site.folder, pki);
  const old = join(site.stateDir, 'cluster');
  await mkdir(old, { recursive: true, mode: 0o700 });
  const networks = [{ network: '10.96.0.0/16', source: 'ServiceCIDR kubernetes', guessed: false }];
  await writeFile(join(old, 'service-networks.json'), JSON.stringify({ version: 1, networks }), {
    mode: 0o600,
  });
  await startAt(site, { wrap: within });
  const { json } = await get(site.socket, '/v1/host');
  assert.match(JSON.stringify(json), /"network":"10\.96\.0\.0\/16","source":"ServiceCIDR kubernetes"/);
  assert.equal((await readdir(site.stateDir)).includes('cluster'), false);
  assert.match(await readFile(join(site.stateDir, 'service-networks.json'), 'utf8'), /"version":2/);
});

test(
  'a name that no name server knows anything of does not keep the daemon from its end',
  options,
  async (t) => {
    const site = await emptySite(t);
    await using pki = await makePki();
    const { within, kubeconfig } = await daemonSetPod(site.folder, pki);
    await writeFile(kubeconfig, kubeconfigOf(NAMED));
    // Away without a word, as behind a dead router.
    await site.namespace.run([
      'nft',
      'add table ip dns; add chain ip dns input { type filter hook input priority 0; }; add rule ip dns input udp dport 53 drop',
    ]);
    const daemon = await startAt(site, { wrap: within });
    signalProcess(daemon, 'SIGTERM');
    const ended = await waitFor('the daemon to end', () => daemon.ended(), { deadlineMs: LOOKUP_MS });
    assert.equal(ended, 'exit status 0');
  },
);
