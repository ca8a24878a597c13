import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import * as v from 'valibot';
import { cidr } from '../src/base/cidr.ts';
import { ipv4 } from '../src/base/ipv4.ts';
import { ping } from '../src/lab/ping.ts';
import { waitFor } from '../src/lab/wait.ts';
import { NEEDS_ROOT } from '../tests/support/home-lan.ts';
import { kubeProxy } from '../tests/story/support/kube-proxy.ts';
import { CONTAINERD_2 } from './support/cri/containerd.ts';
import type { SandboxStatus } from './support/cri/cri.ts';
import { LEASEHOLD_CONFLIST } from './support/cri/cri-node.ts';
import { GoNode } from './support/cri/go-node.ts';
import { removePods, runPod, runPods } from './support/cri/pods.ts';
import { program } from './support/cache.ts';

const NODE = '192.168.2.125';
const POOL = { first: ipv4('192.168.2.130'), last: ipv4('192.168.2.250') };
/** Where the pool of pods is, for the route that people make. */
const PODS = '192.168.2.128/25';
const SERVICES = '10.43.0.0/16';
const API = { service: '10.43.0.1', port: 6443 };
const adoptedSchema = v.array(v.object({ outcome: v.string() }));
const saidSchema = v.object({ seen: v.record(v.string(), v.number()) });

/** docs/changing-over.md, "From an interface made by hand": the steps of that page, in its order. */
describe('a node with a macvlan made by hand changes over', { skip: NEEDS_ROOT }, () => {
  let made: GoNode | undefined;
  let old: readonly SandboxStatus[] = [];

  function node(): GoNode {
    assert.ok(made !== undefined);
    return made;
  }

  async function ip(...args: readonly string[]): Promise<string> {
    return await node().lan.node.namespace.ip(...args);
  }

  async function reachedByNode(pod: SandboxStatus): Promise<boolean> {
    return await ping(node().lan.node.namespace, ipv4(pod.ip), { tries: 3 });
  }

  /** Asks a service whose server is the node. */
  async function reachesService(pod: SandboxStatus): Promise<boolean> {
    const { space } = node();
    const question = [program('bin', 'who'), 'get', `http://${API.service}:443/who`];
    const { stdout } = await space.runToEnd(space.inPod(pod.netns ?? '', question));
    return stdout !== '' && Object.keys(v.parse(saidSchema, JSON.parse(stdout)).seen).length === 1;
  }

  /** What `route-override` with `addroutes` does to a pod. */
  async function leadServicesTo(gateway: string, pod: SandboxStatus): Promise<void> {
    const { space } = node();
    await space.run(space.inPod(pod.netns ?? '', ['ip', 'route', 'add', SERVICES, 'via', gateway]));
  }

  before(async () => {
    const hosts = { node: { address: cidr(`${NODE}/24`) }, laptop: 'dhcp' } as const;
    made = await GoNode.create(CONTAINERD_2, { hosts, pool: POOL });
    const { namespace } = made.lan.node;
    await namespace.ip('link', 'add', 'mac0', 'link', 'eth0', 'type', 'macvlan', 'mode', 'bridge');
    await namespace.ip('addr', 'add', `${NODE}/32`, 'dev', 'mac0');
    await namespace.ip('link', 'set', 'mac0', 'up');
    await namespace.ip('route', 'add', PODS, 'dev', 'mac0', 'src', NODE);
    await namespace.run(['sh', '-c', 'echo 1 >/proc/sys/net/ipv4/ip_forward']);
    const endpoints = [{ address: NODE, port: API.port }];
    await kubeProxy(
      namespace,
      { services: [{ name: 'api', address: API.service, port: 443, endpoints }] },
      'iptables',
    );
    const serve = [program('bin', 'who'), 'serve', `${API.port}`];
    await namespace.start(
      serve,
      { name: 'API server', logFile: join(made.lan.folder, 'api.log') },
      made.lan.resources,
    );
    old = await runPods(made.runtime, ['old-0', 'old-1']);
    for (const pod of old) await leadServicesTo(NODE, pod);
  });
  after(async () => await made?.[Symbol.asyncDispose]());

  async function oldPodsWork(): Promise<void> {
    for (const pod of old) {
      assert.ok(await reachedByNode(pod), `the node reaches ${pod.metadata.name}`);
      await waitFor(`${pod.metadata.name} to reach a service`, async () => await reachesService(pod));
    }
  }

  test('before: node and pods reach each other by mac0', async () => {
    await oldPodsWork();
  });

  test('a route for each pod in the place of the route to their range: nothing is cut', async () => {
    for (const pod of old) await ip('route', 'replace', `${pod.ip}/32`, 'dev', 'mac0', 'src', NODE);
    await ip('route', 'del', PODS, 'dev', 'mac0');
    await oldPodsWork();
  });

  test('daemon, plugins, network and leases are changed: nothing is cut', async () => {
    await node().stopGo();
    await node().replacePlugins();
    await node().startLeasehold('--service-cidr', SERVICES);
    await writeFile(join(node().cni.conf, '05-leasehold.conflist'), LEASEHOLD_CONFLIST);
    const rows = v.parse(adoptedSchema, JSON.parse(await node().adopt()));
    assert.equal(rows.filter(({ outcome }) => outcome === 'taken-up').length, old.length);
    await waitFor('containerd to see the new configuration', async () => {
      const info = await node().runtime.cri.statusInfo();
      return JSON.stringify(info['cniconfig'] ?? {}).includes('"leasehold"');
    });
    await oldPodsWork();
  });

  test('a new pod is reached by the shim, and reaches services', async () => {
    const fresh = await runPod(node().runtime, 'fresh');
    assert.ok(await reachedByNode(fresh));
    await waitFor('a new pod to reach a service', async () => await reachesService(fresh));
    await oldPodsWork();
    await removePods(node().runtime, [fresh]);
  });

  test('with the route to the range still there a new pod is refused, and the error names it', async () => {
    await ip('route', 'add', PODS, 'dev', 'mac0', 'src', NODE);
    await assert.rejects(
      runPod(node().runtime, 'refused'),
      /is in 192\.168\.2\.128\/25, which the node has elsewhere/,
    );
    await ip('route', 'del', PODS, 'dev', 'mac0');
  });

  test('old pods are made anew one by one, then mac0 goes', async () => {
    const anew: SandboxStatus[] = [];
    for (const pod of old) {
      await removePods(node().runtime, [pod]);
      await ip('route', 'del', `${pod.ip}/32`, 'dev', 'mac0');
      anew.push(await runPod(node().runtime, pod.metadata.name, 1));
    }
    await ip('link', 'del', 'mac0');
    for (const pod of anew) {
      assert.ok(await reachedByNode(pod));
      assert.ok(await ping(node().lan.laptop.namespace, ipv4(pod.ip), { tries: 3 }));
      await waitFor('a service to be reached', async () => await reachesService(pod));
    }
    await removePods(node().runtime, anew);
  });
});
