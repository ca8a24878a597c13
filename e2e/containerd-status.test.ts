import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatCidr } from '../src/base/cidr.ts';
import { ipv4 } from '../src/base/ipv4.ts';
import type { HomeLan } from '../src/lab/home-lan.ts';
import { signalProcess } from '../src/lab/long-process.ts';
import { waitFor } from '../src/lab/wait.ts';
import {
  makeUplinkAgain,
  plugCable,
  pullCable,
  removeUplink,
  uplinkDown,
  uplinkUp,
} from '../tests/faults/support/cable.ts';
import { containerd, CONTAINERD_1_6, CONTAINERD_2 } from './support/cri/containerd.ts';
import { criNode } from './support/cri/cri-node.ts';
import { assertOnTheLan } from './support/cri/on-the-lan.ts';
import { nothingIsLeft } from './support/cri/pod-leftovers.ts';
import { removePods, runPod } from './support/cri/pods.ts';
import type { Runtime } from './support/cri/runtime.ts';

/** By hand, so that it is there again as soon as the uplink is. */
const NODE = { address: { address: ipv4('192.168.2.10'), prefix: 24 } };

const DEADLINE_MS = 60_000;

type Fault = {
  readonly name: string;
  /** In the message of the condition. */
  readonly says: RegExp;
  /** In the error of a sandbox that is run all the same. Not tried where an ADD waits for an uplink to come. */
  readonly refusal?: RegExp;
  readonly make: (lan: HomeLan) => Promise<unknown>;
  readonly mend: (lan: HomeLan) => Promise<unknown>;
};

/** What a network manager does when the link is back: the routes went with it. */
async function routeAgain({ node, routerAddress }: HomeLan): Promise<void> {
  await node.namespace.ip('route', 'replace', 'default', 'via', routerAddress.address);
}

/** What takes a node off its LAN. */
const FAULTS: readonly Fault[] = [
  {
    name: 'has no carrier',
    says: /master "eth0" has no carrier/,
    refusal: /eth0 has no carrier/,
    make: pullCable,
    mend: plugCable,
  },
  {
    name: 'is down',
    says: /pods run on eth0, which is down: ip link set eth0 up; and no interface has a default route/,
    make: uplinkDown,
    mend: async (lan) => {
      await uplinkUp(lan);
      await routeAgain(lan);
    },
  },
  {
    name: 'is gone',
    says: /pods run on eth0, which is gone; and no interface has a default route/,
    make: removeUplink,
    mend: async (lan) => {
      await makeUplinkAgain(lan, formatCidr(NODE.address));
      await routeAgain(lan);
    },
  },
];

async function untilReady(runtime: Runtime): Promise<void> {
  await waitFor('NetworkReady', async () => (await runtime.cri.networkReady()).status, {
    deadlineMs: DEADLINE_MS,
  });
}

for (const version of [CONTAINERD_2, CONTAINERD_1_6]) {
  void test(`${version.name}: status`, async (t) => {
    const node = await criNode(t, { lan: { hosts: { node: NODE } }, start: containerd(version) });
    const { runtime, lan, leasehold } = node;
    // STATUS is of CNI 1.1.0: containerd 1.6 has a libcni without it, and takes every network that is configured for ready.
    const asks = version === CONTAINERD_2;
    const pod = await runPod(runtime, 'stays');
    assert.equal((await runtime.cri.networkReady()).status, true);

    for (const fault of FAULTS) {
      await t.test(
        `the uplink ${fault.name}: ${asks ? 'NetworkReady is false' : 'it is not asked'}`,
        async () => {
          await fault.make(lan);
          const { message, reason } = await runtime.cri.networkReady();
          if (asks)
            assert.deepEqual([reason, fault.says.test(message)], ['NetworkPluginNotReady', true], message);
          else assert.equal(message, '');
          if (fault.refusal !== undefined) await assert.rejects(runPod(runtime, 'new'), fault.refusal);
          await fault.mend(lan);
          await untilReady(runtime);
          const next = await runPod(runtime, 'new', 1);
          // The one that runs is there again, too.
          await assertOnTheLan(node, [pod, next]);
          await removePods(runtime, [next]);
        },
      );
    }

    if (asks) {
      // Longer than 30 s, and a kubelet leaves all its pods alone: also the agent's, which it should start anew.
      await t.test('the daemon hangs: NetworkReady is false, and the runtime still answers', async () => {
        signalProcess(leasehold.process(), 'SIGSTOP');
        try {
          const { status, message } = await runtime.cri.networkReady();
          assert.equal(status, false);
          assert.match(message, /did not answer in time/);
        } finally {
          signalProcess(leasehold.process(), 'SIGCONT');
        }
        await untilReady(runtime);
      });
    }

    await t.test(`the daemon is away: ${asks ? 'NetworkReady is false' : 'it is not asked'}`, async () => {
      await leasehold.stop();
      const { status, message } = await runtime.cri.networkReady();
      assert.equal(status, !asks, message);
      if (asks) assert.match(message, /cannot connect to the daemon/);
      await leasehold.restart();
      await untilReady(runtime);
    });
    await removePods(runtime, [pod]);
    await nothingIsLeft(node);
  });
}
