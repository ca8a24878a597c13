import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { cidr } from '../../src/base/cidr.ts';
import { ipv4 } from '../../src/base/ipv4.ts';
import { mac } from '../../src/base/mac.ts';
import { Nftables } from '../../src/kernel/nftables.ts';
import { PodNetwork } from '../../src/kernel/pod-network.ts';
import { openPodSide } from '../../src/kernel/pod-side.ts';
import { POD_DUMP_LIMIT } from '../../src/kernel/netlink-dump.ts';
import { asRoot, makePair, Sandbox } from './support/sandbox.ts';

const CHILD = join(import.meta.dirname, 'support/flood-child.ts');
const SHIM_MAC = mac('02:00:00:00:00:51');
const SERVICES = { address: ipv4('10.43.0.0'), prefix: 16 } as const;

/** A process in the pod that tries to fill the receive buffers of all netlink sockets there, until it is disposed of. */
class Flood implements AsyncDisposable {
  readonly #child;
  /** What came of it first. */
  readonly outcome: Promise<string>;

  constructor(netns: string) {
    this.#child = spawn(
      'nsenter',
      [`--net=${netns}`, process.execPath, '--disable-warning=ExperimentalWarning', CHILD],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    );
    const lines = createInterface({ input: this.#child.stdout });
    this.outcome = once(lines, 'line').then(([line]) => String(line));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.stdin.end();
    await ended;
  }
}

test(
  'who floods the netlink sockets in its pod does not keep the kernel from answering',
  asRoot,
  async () => {
    await using sandbox = new Sandbox('nl-flood');
    const { left, leftRtnl, rightRtnl, leftLink } = await makePair(sandbox);
    const path = sandbox.path('left');
    await using inPod = Nftables.open(left, POD_DUMP_LIMIT);
    await using flood = new Flood(path);
    // Those that are open take nothing from it, and it goes on with those that are opened below.
    assert.equal(await flood.outcome, 'all were refused');

    const { index } = leftLink;
    await leftRtnl.addresses.add({ index, cidr: cidr('10.9.0.77/24') });
    assert.equal((await leftRtnl.routes.list(4)).length, 1);
    assert.equal(await inPod.has({ family: 'inet', name: 'none' }), false);

    // As a DEL does it, and an ADD: with sockets of their own.
    const side = openPodSide(path);
    await side.setServices(index, [SERVICES], SHIM_MAC);
    assert.deepEqual(await side.serviceProblems(index, [SERVICES], SHIM_MAC), []);
    await side.setLastHop(index, 'v0');
    assert.equal(await side.lastHopProblem('v0'), undefined);
    await side.removeLastHop('v0');
    side.close();
    const pod = PodNetwork.open(path, rightRtnl);
    await pod.deleteLink(index);
    assert.equal(await pod.linkByIndex(index), undefined);
    pod.close();
  },
);
