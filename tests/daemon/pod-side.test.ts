import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CniPluginError } from '../../src/lab/cni-exec.ts';
import { getOverSocket } from '../../src/lab/daemon.ts';
import type { Namespace } from '../../src/lab/namespace.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { NEEDS_ROOT } from '../support/home-lan.ts';
import { addressIn, type Attached, networkOf, useSite } from '../plugins/support/site.ts';

// What the daemon finds in a pod that somebody changed, and puts back when it is asked to.

const options = { skip: NEEDS_ROOT };
const LEASEHOLD = networkOf([{ type: 'leasehold' }]);
const TABLE = 'table netdev leasehold-eth0';

type Pods = {
  readonly looked: number;
  readonly pods: readonly {
    readonly containerId: string;
    readonly network: string;
    readonly ifname: string;
    readonly problems: readonly string[];
  }[];
};

async function nft(place: Namespace, input: string): Promise<void> {
  await place.run(['nft', '-f', '-'], { input: `${input}\n` });
}

describe("a pod's side that somebody changed", () => {
  const site = useSite({ config: { services: ['10.43.0.0/16'] } });

  async function pods(): Promise<Pods> {
    const answer = await getOverSocket(site().daemon.socket, '/v1/host/pods');
    return JSON.parse(answer?.body ?? '{}') as Pods;
  }

  async function problems(): Promise<readonly string[]> {
    return (await pods()).pods.flatMap((pod) => pod.problems);
  }

  async function check({ network, attachment }: Attached): Promise<void> {
    await site().daemon.runtime.check(network, attachment);
  }

  async function refused(pod: Attached, problem: string): Promise<void> {
    await assert.rejects(check(pod), (error) => {
      assert.ok(error instanceof CniPluginError);
      assert.deepEqual([error.code, error.msg], [150, `eth0: ${problem}`]);
      return true;
    });
  }

  test('the API and CHECK name it, and SIGHUP puts it back', options, async () => {
    const pod = await site().add(LEASEHOLD);
    const other = await site().add(LEASEHOLD);
    const place = pod.pod.namespace;
    assert.deepEqual(await pods(), { looked: 2, pods: [] });
    await check(pod);
    const changes: readonly (readonly [() => Promise<unknown>, readonly string[]])[] = [
      [() => nft(place, `${TABLE} { flags dormant; }`), ['the last hop on eth0 is dormant or was changed']],
      [() => nft(place, 'flush ruleset'), ['no last hop on eth0']],
      [() => place.ip('route', 'del', '10.43.0.0/16'), ['no route to 10.43.0.0/16 by 169.254.1.1']],
      [
        () => place.ip('neigh', 'del', '169.254.1.1', 'dev', 'eth0'),
        ['the neighbour 169.254.1.1 is not the shim'],
      ],
    ];
    for (const [change, wanted] of changes) {
      await change();
      const seen = await pods();
      assert.equal(seen.looked, 2);
      assert.deepEqual(
        seen.pods.map(({ containerId, ...rest }) => ({ ...rest, isOurs: containerId.length > 0 })),
        [{ network: pod.network.name, ifname: 'eth0', problems: wanted, isOurs: true }],
      );
      await refused(pod, wanted.join('; '));
      await check(other);
      process.kill(site().daemon.process().pid, 'SIGHUP');
      await waitFor('it to be back', async () => (await problems()).length === 0);
      await check(pod);
    }
    await site().del(other);
    await site().del(pod);
  });

  test('a route of the node that nobody lets it have is told too', options, async () => {
    const pod = await site().add(LEASEHOLD);
    const address = addressIn(pod.result);
    const { node } = site();
    const wanted = `the node has no route to ${address} by lh0`;
    await waitFor(
      'the repairs to become rare',
      async () => {
        await node.runToEnd(['ip', 'route', 'del', address, 'dev', 'lh0']);
        return (await problems()).includes(wanted);
      },
      { deadlineMs: 20_000 },
    );
    await waitFor('it to be back', async () => (await problems()).length === 0, { deadlineMs: 20_000 });
    await site().del(pod);
  });
});
