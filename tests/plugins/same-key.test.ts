import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { executionConf, type NetworkList } from '../../src/lab/cni-conf.ts';
import { deleteNamespace } from '../../src/lab/namespace-name.ts';
import type { Pod } from '../../src/lab/pods.ts';
import { systemEnv } from '../../src/lab/process.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { CNI_BIN } from '../support/leasehold.ts';
import { linksOf } from './support/kernel-view.ts';
import { type ScriptedServer, startScripted } from './support/scripted.ts';
import { addressIn, type Attached, macIn, macvlan, networkOf, type Site, useSite } from './support/site.ts';

describe('one attachment, several requests', { skip: NEEDS_ROOT }, () => {
  const site = useSite();
  const network = networkOf([macvlan()]);

  test('two ADDs at once are one; a third one later gives the same result', async () => {
    const pod = await site().pod();
    const [first, second] = await Promise.all([site().attach(network, pod), site().attach(network, pod)]);
    assert.deepEqual(first.result, second.result);
    assert.equal((await site().lan.server.leases()).length, 1);
    assert.deepEqual((await site().attach(network, pod)).result, first.result);
    assert.equal((await site().lan.server.leases()).length, 1);
    assert.equal((await site().records()).length, 1);
    await site().daemon.runtime.check(network, pod.attachment);
    await site().del(first);
    await site().waitForNoLease(macIn(first.result));
  });

  test('a repeated ADD whose caller hangs up takes nothing from the running pod', async () => {
    const added = await site().add(network);
    for (let delay = 0; delay < 6; delay++) await hangUpOnAdd(site(), added, delay / 2);
    assert.equal((await linksOf(added.pod.namespace)).get('eth0')?.address, macIn(added.result));
    assert.equal((await site().leaseOf(macIn(added.result)))?.ip, addressIn(added.result));
    await site().daemon.runtime.check(network, added.attachment);
    await site().del(added);
    await site().waitForNoLease(macIn(added.result));
  });

  test('ADD, DEL, ADD: the second ADD is a new attachment', async () => {
    const added = await site().add(network);
    await site().del(added);
    const again = await site().attach(network, added.pod);
    assert.equal((await site().leaseOf(macIn(again.result)))?.ip, addressIn(again.result));
    await site().del(again);
    await site().waitForNoLease(macIn(again.result));
  });

  test('an interface of that name that is not ours is not touched', async () => {
    const pod = await site().pod();
    await pod.namespace.ip('link', 'add', 'eth0', 'type', 'bridge');
    await assert.rejects(site().attach(network, pod), { code: 103, msg: /already has an interface eth0/ });
    await site().daemon.runtime.del(network, pod.attachment);
    assert.equal((await linksOf(pod.namespace)).get('eth0')?.linkinfo?.info_kind, 'bridge');
    assert.deepEqual(await site().daemonLeases(), []);
  });

  /** A RELEASE that the host sends takes a moment. */
  async function noRecords(): Promise<void> {
    await waitFor('nothing to be stored', async () => (await site().records()).length === 0);
  }

  test('DEL twice, DEL of the unknown, DEL without CNI_NETNS', async () => {
    const added = await site().add(network);
    await site().del(added);
    await site().del(added);
    const { runtime } = site().daemon;
    await runtime.del(network, { containerId: 'never-seen', netns: '/run/netns/never-was', ifName: 'eth0' });
    await runtime.del(network, { ...added.attachment, netns: '' });
    const other = await site().add(network);
    await runtime.del(network, { ...other.attachment, netns: '' });
    await site().waitForNoLease(macIn(other.result));
    assert.deepEqual(await site().daemonLeases(), []);
    assert.deepEqual(await site().records(), []);
  });

  test('DEL with the namespace gone: the host releases', async () => {
    const added = await site().add(network);
    await deleteNamespace(added.pod.namespace.name);
    await site().del(added);
    assert.deepEqual(await site().daemonLeases(), []);
    await site().waitForNoLease(macIn(added.result));
    await noRecords();
  });

  test('DEL of another container: the link of the one that lives there stays', async () => {
    const added = await site().add(network);
    const { attachment, namespace } = added.pod;
    await site().daemon.runtime.del(network, { ...attachment, containerId: 'somebody-else' });
    assert.equal((await linksOf(namespace)).get('eth0')?.address, macIn(added.result));
    await site().del(added);
    assert.equal((await linksOf(namespace)).size, 0);
  });

  test('ADD after the link was removed by hand: a new link and lease, and one record', async () => {
    const added = await site().add(network);
    await added.pod.namespace.ip('link', 'del', 'eth0');
    const again = await site().attach(network, added.pod);
    assert.notEqual(macIn(again.result), macIn(added.result));
    assert.equal((await site().leaseOf(macIn(again.result)))?.ip, addressIn(again.result));
    assert.equal((await site().records()).length, 1);
    await site().daemon.runtime.check(network, again.attachment);
    await site().del(again);
    await site().waitForNoLease(macIn(again.result));
  });

  test('ADD in a new namespace under the same path, without a DEL before', async () => {
    const added = await site().add(network);
    const { name } = added.pod.namespace;
    await deleteNamespace(name);
    await site().node.run(['ip', 'netns', 'add', name]);
    const again = await site().attach(network, added.pod);
    assert.equal((await linksOf(again.pod.namespace)).get('eth0')?.address, macIn(again.result));
    assert.equal((await site().records()).length, 1);
    await site().daemon.runtime.check(network, again.attachment);
    await site().del(again);
    await site().waitForNoLease(macIn(again.result));
    await noRecords();
  });

  test('another namespace under the same path is not touched by a DEL', async () => {
    const added = await site().add(network);
    const { name } = added.pod.namespace;
    await deleteNamespace(name);
    await site().node.run(['ip', 'netns', 'add', name]);
    await added.pod.namespace.ip('link', 'add', 'eth0', 'type', 'bridge');
    await site().del(added);
    assert.equal((await linksOf(added.pod.namespace)).get('eth0')?.linkinfo?.info_kind, 'bridge');
    assert.deepEqual(await site().daemonLeases(), []);
    await site().waitForNoLease(macIn(added.result));
  });
});

/** The same ADD once more, by a caller that goes away after so many milliseconds. */
async function hangUpOnAdd(site: Site, added: Attached, afterMs: number): Promise<void> {
  const { containerId, netns, ifName } = added.attachment;
  const body = JSON.stringify({ ...macvlan(), cniVersion: '1.0.0', name: added.network.name });
  const call = request({
    socketPath: site.daemon.socket,
    method: 'POST',
    path: '/cni/macvlan',
    headers: {
      'CNI-Command': 'ADD',
      'CNI-Containerid': containerId,
      'CNI-Netns': netns,
      'CNI-Ifname': ifName,
      'CNI-Path': CNI_BIN,
    },
  });
  const gone = new Promise<void>((resolve) => call.once('close', resolve));
  call.on('error', () => undefined);
  call.end(body);
  setTimeout(() => call.destroy(), afterMs);
  await gone;
}

/** An ADD that a server answers with an OFFER and no more, so that it waits. */
function waiting(mac: string): NetworkList {
  return networkOf([macvlan({ mac }, { provide: [{ option: 'host-name', value: 'ack-silent' }] })]);
}

describe('while an ADD waits for an answer', { skip: NEEDS_ROOT }, () => {
  const site = useSite({ server: { kind: 'none' } });
  let server: ScriptedServer;
  before(async () => {
    server = await startScripted(site());
  });

  async function requestSeen(chaddr: string): Promise<void> {
    await waitFor('the REQUEST', async () => (await server.from(chaddr)).some(({ type }) => type === '03'));
  }

  async function nothingLeft(at: Site, pod: Pod, chaddr: string): Promise<void> {
    await waitFor('the link to be gone', async () => (await linksOf(pod.namespace)).size === 0);
    assert.deepEqual(await at.daemonLeases(), []);
    assert.deepEqual(await at.records(), []);
    const release = await waitFor('the RELEASE', async () =>
      (await server.from(chaddr)).find(({ type }) => type === '07'),
    );
    assert.equal(release.from, release.ciaddr, 'what was asked for is given back, from its address');
  }

  test('a DEL wins: the ADD ends with cancelled-by-del', async () => {
    const network = waiting('02:5e:00:53:04:01');
    const pod = await site().pod();
    const adding = assert.rejects(site().attach(network, pod), { code: 160 });
    await requestSeen('02:5e:00:53:04:01');
    await site().daemon.runtime.del(network, pod.attachment);
    await adding;
    await nothingLeft(site(), pod, '02:5e:00:53:04:01');
  });

  test('the caller is killed: all is taken back', async () => {
    const chaddr = '02:5e:00:53:04:02';
    const network = waiting(chaddr);
    const pod = await site().pod();
    const relay = spawnRelay(site(), network, pod);
    await requestSeen(chaddr);
    relay.kill('SIGKILL');
    await once(relay, 'exit');
    await nothingLeft(site(), pod, chaddr);
  });

  test('one of two equal callers is killed: the other one is served on', async () => {
    const chaddr = '02:5e:00:53:04:03';
    const network = waiting(chaddr);
    const pod = await site().pod();
    const relay = spawnRelay(site(), network, pod);
    await requestSeen(chaddr);
    const other = assert.rejects(site().attach(network, pod), { code: 160 });
    await waitFor('both to wait', async () => (await connections(site())) === 2);
    relay.kill('SIGKILL');
    await once(relay, 'exit');
    await waitFor('one to wait', async () => (await connections(site())) === 1);
    assert.equal((await linksOf(pod.namespace)).size, 1, 'it goes on');
    await site().daemon.runtime.del(network, pod.attachment);
    await other;
    await nothingLeft(site(), pod, chaddr);
  });

  test('another ADD with other parameters is told to wait', async () => {
    const chaddr = '02:5e:00:53:04:04';
    const network = waiting(chaddr);
    const pod = await site().pod();
    const adding = assert.rejects(site().attach(network, pod), { code: 160 });
    await requestSeen(chaddr);
    const elsewhere = await site().pod();
    const attachment = { ...pod.attachment, netns: elsewhere.attachment.netns };
    await assert.rejects(site().attach(network, { ...pod, attachment }), { code: 11 });
    await site().daemon.runtime.del(network, pod.attachment);
    await adding;
    await nothingLeft(site(), pod, chaddr);
  });
});

/** The relay as a runtime starts it, for an ADD. */
function spawnRelay(site: Site, network: NetworkList, { attachment }: Pod): ReturnType<typeof spawn> {
  const [entry] = network.plugins;
  assert.ok(entry);
  // nsenter becomes the relay: same process, same number.
  const [file = '', ...args] = site.node.command([join(CNI_BIN, 'macvlan')]);
  const child = spawn(file, args, {
    stdio: ['pipe', 'ignore', 'ignore'],
    env: systemEnv({
      CNI_COMMAND: 'ADD',
      CNI_CONTAINERID: attachment.containerId,
      CNI_NETNS: attachment.netns,
      CNI_IFNAME: attachment.ifName,
      CNI_PATH: CNI_BIN,
      LEASEHOLD_SOCKET: site.daemon.socket,
    }),
  });
  child.stdin.end(executionConf(network, entry, {}));
  return child;
}

/** How many callers are connected to the daemon, this question not counted: lines of /proc/net/unix with its socket. */
async function connections(site: Site): Promise<number> {
  // Socket state 03 is "connected" (net/unix, SS_CONNECTED); the listening socket has 01.
  const table = await site.node.run(['cat', '/proc/net/unix']);
  return table
    .split('\n')
    .filter((line) => line.endsWith(` ${site.daemon.socket}`) && line.split(/ +/)[5] === '03').length;
}
