import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { describe, test, type TestContext } from 'node:test';
import { cidr } from '../../src/base/cidr.ts';
import { isJsonObject, parseJson, type JsonObject } from '../../src/base/json.ts';
import { CniPluginError } from '../../src/lab/cni-exec.ts';
import { getOverSocket } from '../../src/lab/daemon.ts';
import type { HomeLan } from '../../src/lab/home-lan.ts';
import { createPod } from '../../src/lab/pods.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { CAPABILITIES, inContainer, type Confinement } from '../support/container.ts';
import { undoHostIn } from '../support/undo.ts';
import { homeLan, NEEDS_ROOT } from '../support/home-lan.ts';
import { startLeasehold, type RunningLeasehold } from '../support/leasehold.ts';
import { addressIn, networkOf } from '../plugins/support/site.ts';

const NETWORK = networkOf([{ type: 'leasehold' }], { cniVersion: '1.1.0' });
const MACVLAN = networkOf([{ type: 'macvlan', master: 'eth0', ipam: { type: 'dhcp' } }], {
  cniVersion: '1.1.0',
  name: 'plain',
});
const CHAINED = networkOf(
  [
    { type: 'macvlan', master: 'eth0', ipam: { type: 'dhcp' } },
    { type: 'leasehold', chained: true },
  ],
  { cniVersion: '1.1.0', name: 'chained' },
);
const LAN_ONLY = networkOf([{ type: 'leasehold', hostAccess: false, lastHop: false }], {
  cniVersion: '1.1.0',
  name: 'lan-only',
});

async function contained(
  t: TestContext,
  confinement: Confinement,
): Promise<{ readonly lan: HomeLan; readonly daemon: RunningLeasehold }> {
  const lan = await homeLan(t, { hosts: { node: { address: cidr('192.168.2.125/24') } } });
  const within = inContainer(confinement);
  return { lan, daemon: await startLeasehold(lan, { within, readiness: 'socket' }) };
}

/** What readyz says, once the start is over. */
async function readiness(daemon: RunningLeasehold): Promise<JsonObject & { readonly code: number }> {
  return await waitFor('the start to be over', async () => {
    const answer = await getOverSocket(daemon.socket, '/readyz');
    const json = parseJson(answer?.body ?? '');
    assert.ok(json.ok && isJsonObject(json.value));
    return json.value['status'] === 'not ready' ? undefined : { ...json.value, code: answer?.status ?? 0 };
  });
}

/** Whether each thread of the daemon sees /proc/sys read-only, the loop's thread first. */
async function procSysByThread(pid: number): Promise<readonly boolean[]> {
  const threads = (await readdir(`/proc/${pid}/task`)).toSorted((a, b) => Number(a) - Number(b));
  return await Promise.all(
    threads.map(async (thread) => {
      const mounts = (await readFile(`/proc/${pid}/task/${thread}/mountinfo`, 'utf8')).split('\n');
      // proc(5): ID, parent, device, root, mount point, options. The last one lies on top.
      const options = mounts
        .map((line) => line.split(' '))
        .findLast((fields) => fields[4] === '/proc/sys')?.[5];
      return (options ?? '').split(',').includes('ro');
    }),
  );
}

describe('in a container that is not privileged', { skip: NEEDS_ROOT }, () => {
  test('/proc/sys is made writable for the loop alone, and pods come and go', async (t) => {
    const { lan, daemon } = await contained(t, {});
    assert.deepEqual(await readiness(daemon), { status: 'ready', code: 200 });
    await daemon.runtime.status(NETWORK);
    const pod = await createPod('pod', lan);
    const { result } = await daemon.runtime.add(NETWORK, pod.attachment);
    const address = addressIn(result);
    await lan.node.namespace.run(['ping', '-c', '1', '-W', '2', address]);
    await daemon.runtime.del(NETWORK, pod.attachment);
    // CAP_NET_BROADCAST is not there: that costs no more than this.
    assert.match(await readFile(daemon.logFile, 'utf8'), /the links of pods cannot be watched/);
    const [loop, ...others] = await procSysByThread(daemon.process().pid);
    assert.equal(loop, false);
    assert.ok(others.includes(true), 'what the daemon was started in is as it was');
  });

  test('what it did to the node is undone from there, sysctls as well', async (t) => {
    const { lan, daemon } = await contained(t, {});
    const node = lan.node.namespace;
    const forwarding = async (): Promise<string> =>
      (await node.run(['cat', '/proc/sys/net/ipv4/conf/eth0/forwarding'])).trim();
    assert.equal(await forwarding(), '0');
    const pod = await createPod('pod', lan);
    await readiness(daemon);
    await daemon.runtime.add(NETWORK, pod.attachment);
    assert.equal(await forwarding(), '1');
    await daemon.stop();
    assert.deepEqual((await undoHostIn(node, daemon.stateDir, inContainer())).failed, []);
    assert.equal(await forwarding(), '0');
  });

  test('where it cannot be made writable, readyz and STATUS say so, and only what needs it fails', async (t) => {
    const { lan, daemon } = await contained(t, { procSys: 'fixed' });
    const { status, reason, code } = await readiness(daemon);
    assert.deepEqual([status, code], ['unfit', 503]);
    assert.match(JSON.stringify(reason), /no sysctl .*EROFS.*mount\(2\)/);
    for (const network of [NETWORK, CHAINED]) {
      await assert.rejects(daemon.runtime.status(network), (error: unknown) => {
        assert.ok(error instanceof CniPluginError);
        assert.equal(error.code, 50);
        assert.match(error.message, /EROFS/);
        return true;
      });
    }
    const pod = await createPod('pod', lan);
    await assert.rejects(
      daemon.runtime.add(NETWORK, pod.attachment),
      (error: unknown) => error instanceof CniPluginError && error.code === 112,
    );
    for (const network of [MACVLAN, LAN_ONLY]) {
      await daemon.runtime.status(network);
      await daemon.runtime.add(network, pod.attachment);
      await daemon.runtime.del(network, pod.attachment);
    }
  });

  test('without a capability that an ADD needs it does not start, and names it', async (t) => {
    const lan = await homeLan(t, { hosts: { node: { address: cidr('192.168.2.125/24') } } });
    for (const lost of CAPABILITIES) {
      const within = inContainer({ capabilities: CAPABILITIES.filter((name) => name !== lost) });
      await assert.rejects(
        startLeasehold(lan, { within, readiness: 'socket' }),
        new RegExp(`the daemon lacks CAP_${lost.toUpperCase()} \\(\\w[^()]+\\): run it as root`),
      );
    }
  });
});
