import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import type { Cidr } from '../../src/base/cidr.ts';
import { type Ipv4, ipv4 } from '../../src/base/ipv4.ts';
import { mac } from '../../src/base/mac.ts';
import { openPodSide } from '../../src/kernel/pod-side.ts';
import type { PodSidePort } from '../../src/node/host/ports.ts';
import { asRoot, linkOf, makePair, openFds, Sandbox, until } from './support/sandbox.ts';

const SHIM_MAC = mac('02:00:00:00:00:51');
const NEXT_HOP = '169.254.1.1';
const CHANGED = 'the last hop on v0 is dormant or was changed';

function net(address: string, prefix: number): Cidr<Ipv4> {
  return { address: ipv4(address), prefix };
}

const SERVICES = [net('10.43.0.0', 16), net('10.44.3.9', 16)];

type Pod = {
  readonly side: PodSidePort;
  readonly index: number;
  readonly run: (...command: readonly string[]) => void;
  readonly nft: (input: string) => void;
  readonly services: () => Promise<readonly string[]>;
};

/** The pod is "left", with the interface v0, its services and its last hop. */
async function podIn(sandbox: Sandbox): Promise<Pod> {
  const { leftRtnl, leftLink } = await makePair(sandbox);
  await leftRtnl.addresses.add({ index: leftLink.index, cidr: net('10.9.0.77', 24) });
  const { index } = await linkOf(leftRtnl, 'v0');
  const path = sandbox.path('left');
  const side: PodSidePort = openPodSide(path);
  const inside = (input: string, ...command: readonly string[]): void => {
    execFileSync('nsenter', [`--net=${path}`, ...command], { input });
  };
  await side.setServices(index, SERVICES, SHIM_MAC);
  await side.setLastHop(index, 'v0');
  return {
    side,
    index,
    run: (...command) => inside('', ...command),
    nft: (input) => inside(input, 'nft', '-f', '-'),
    services: () => side.serviceProblems(index, SERVICES, SHIM_MAC),
  };
}

test(
  'a pod with its way to the services has no problem, and each thing taken away is named',
  asRoot,
  async () => {
    await using sandbox = new Sandbox('podlook');
    const { side, index, run, services } = await podIn(sandbox);
    assert.deepEqual(await services(), []);
    assert.deepEqual(await side.serviceProblems(index, [], SHIM_MAC), [
      'a route to 10.43.0.0/16, which is no service network any more',
      'a route to 10.44.0.0/16, which is no service network any more',
    ]);
    run('ip', 'route', 'del', '10.43.0.0/16');
    assert.deepEqual(await services(), [`no route to 10.43.0.0/16 by ${NEXT_HOP}`]);
    run('ip', 'route', 'add', '10.43.0.0/16', 'via', '10.9.0.1');
    assert.deepEqual(await services(), [`no route to 10.43.0.0/16 by ${NEXT_HOP}`]);
    await side.setServices(index, SERVICES, SHIM_MAC);
    run('ip', 'route', 'prepend', '10.44.0.0/16', 'via', '10.9.0.1');
    assert.deepEqual(await services(), ['another route to 10.44.0.0/16 comes before ours']);
    await side.setServices(index, SERVICES, SHIM_MAC);
    for (const change of [
      ['replace', NEXT_HOP, 'lladdr', '02:00:00:00:00:52', 'dev', 'v0', 'nud', 'permanent'],
      ['replace', NEXT_HOP, 'lladdr', SHIM_MAC, 'dev', 'v0', 'nud', 'stale'],
      ['del', NEXT_HOP, 'dev', 'v0'],
    ]) {
      run('ip', 'neigh', ...change);
      assert.deepEqual(await services(), [`the neighbour ${NEXT_HOP} is not the shim`], change.join(' '));
    }
    run('ip', 'route', 'flush', 'table', 'main');
    assert.equal((await services()).length, 3);
    await side.setServices(index, SERVICES, SHIM_MAC);
    assert.deepEqual(await services(), []);
    side.close();
  },
);

test(
  'a last hop that is gone, asleep or changed is named, and is whole after it was put again',
  asRoot,
  async () => {
    await using sandbox = new Sandbox('podlook');
    const { side, index, nft } = await podIn(sandbox);
    const table = 'netdev leasehold-v0';
    assert.equal(await side.lastHopProblem('v0'), undefined);
    assert.equal(await side.lastHopProblem('v1'), 'no last hop on v1');
    for (const [input, problem] of [
      [`table ${table} { flags dormant; }`, CHANGED],
      [`flush chain ${table} out`, CHANGED],
      [`insert rule ${table} out accept`, CHANGED],
      [`add chain ${table} more`, CHANGED],
      [`delete table ${table}`, 'no last hop on v0'],
      ['flush ruleset', 'no last hop on v0'],
    ] as const) {
      nft(`${input}\n`);
      assert.equal(await side.lastHopProblem('v0'), problem, input);
      await side.removeLastHop('v0');
      await side.setLastHop(index, 'v0');
      assert.equal(await side.lastHopProblem('v0'), undefined, `after ${input}`);
    }
    side.close();
  },
);

test("another release's table is left in peace, as long as it is awake", asRoot, async () => {
  await using sandbox = new Sandbox('podlook');
  const { side, nft } = await podIn(sandbox);
  const hook = 'type filter hook egress device v0 priority 0';
  nft(`delete table netdev leasehold-v0
    table netdev leasehold-v0 { comment "Leasehold: of old (0123456789ab)"; chain out { ${hook}; }; }\n`);
  assert.equal(await side.lastHopProblem('v0'), undefined);
  nft('table netdev leasehold-v0 { flags dormant; }\n');
  assert.equal(await side.lastHopProblem('v0'), CHANGED);
  side.close();
});

test('looking leaves no descriptor and changes nothing', asRoot, async () => {
  await using sandbox = new Sandbox('podlook');
  const { side, services } = await podIn(sandbox);
  await services();
  const before = openFds();
  for (let time = 0; time < 5; time++) {
    await services();
    await side.lastHopProblem('v0');
  }
  await until('all are closed', () => openFds() <= before);
  side.close();
});
