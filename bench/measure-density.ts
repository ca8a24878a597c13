import { join } from 'node:path';
import { pause } from '../src/lab/wait.ts';
import { HomeLan } from '../src/lab/home-lan.ts';
import { stopProcess } from '../src/lab/long-process.ts';
import { attach, detach, type Bench } from './batch.ts';
import { cidr, keaOptions, ROUTER, type BenchHome } from './home.ts';
import { jobsFor } from './jobs.ts';
import type { Plan } from './plan.ts';
import type { Pods } from './pods.ts';
import { keaPairs } from './server-leases.ts';
import { SETTLED_MS } from './settle.ts';
import { startGo, startLeasehold, type Pair, type Side, type SideName } from './sides.ts';

/** The two nodes: one with few pods on its uplink, one with many. */
const NODES = { few: { address: cidr('10.77.0.2/16') }, many: { address: cidr('10.77.0.3/16') } };
type Node = keyof typeof NODES;
const AT_ONCE = 20;

/** ADDs one after another on a node that has so many pods already. */
export type DensityRound = { readonly addMs: readonly number[]; readonly cpuMsEach: number };

export type Density = {
  /** By round: both nodes in turn. */
  readonly rounds: Readonly<Record<Node, readonly DensityRound[]>>;
  readonly failures: readonly string[];
};

export type Densities = Pair<Density>;

/** One side's two nodes, each with a daemon. */
async function startNodes(home: BenchHome, lan: HomeLan, name: SideName): Promise<Record<Node, Side>> {
  const { root, goPlugins } = home.programs;
  const start = async (node: Node): Promise<Side> =>
    name === 'go'
      ? await startGo(lan, goPlugins, `go-${node}`, lan.host(node))
      : await startLeasehold(lan, root, node, { node: lan.host(node) });
  return { few: await start('few'), many: await start('many') };
}

/** Nodes hear nothing of each other: what one broadcasts would else be copied to all pods of the other, by the same processors. */
async function isolate(lan: HomeLan): Promise<void> {
  for (const { port } of lan.hosts)
    await lan.router.ip('link', 'set', port, 'type', 'bridge_slave', 'isolated', 'on');
}

async function measureNodes(
  bench: Bench,
  sides: Record<Node, Side>,
  pods: Pods,
  plan: Plan['density'],
): Promise<Density> {
  const failures: string[] = [];
  const held: Record<Node, readonly [first: number, count: number]> = {
    few: [0, plan.few],
    many: [plan.few, plan.many],
  };
  const free = plan.few + plan.many;
  const pairs = new Set<string>();
  for (const node of ['few', 'many'] as const) {
    const [first, count] = held[node];
    const added = await attach(bench, sides[node], jobsFor(pods, `density-${node}`, count, first), AT_ONCE);
    failures.push(...added.failures);
    for (const pair of added.pairs) pairs.add(pair);
  }
  await pause(SETTLED_MS);
  const rounds: Record<Node, DensityRound[]> = { few: [], many: [] };
  // The first round does not count: code is compiled.
  for (let round = -1; round < plan.rounds; round++) {
    for (const node of ['few', 'many'] as const) {
      const jobs = jobsFor(pods, `density-${node}-${round}`, plan.perRound, free);
      const added = await attach(bench, sides[node], jobs, 1);
      if (round >= 0) rounds[node].push({ addMs: added.timesMs, cpuMsEach: added.cpuMsEach });
      const gone = await detach(bench, sides[node], jobs, { atOnce: AT_ONCE, pairs: added.pairs });
      failures.push(...added.failures, ...gone.failures);
    }
  }
  for (const node of ['few', 'many'] as const) {
    const [first, count] = held[node];
    const jobs = jobsFor(pods, `density-${node}`, count, first);
    const gone = await detach(bench, sides[node], jobs, { atOnce: AT_ONCE, pairs });
    failures.push(...gone.failures);
  }
  return { rounds, failures };
}

/** What an ADD costs on an uplink with many pods, of one on an uplink with few; each side with both nodes in turn. */
export async function measureDensity(home: BenchHome, { density: plan }: Plan): Promise<Densities> {
  const { signal, driver, pods } = home;
  await using lan = await HomeLan.create({
    router: ROUTER,
    hosts: NODES,
    server: { kind: 'none' },
    signal,
  });
  await isolate(lan);
  const control = join(lan.folder, 'kea.sock');
  await lan.startServer(await keaOptions(control), signal);
  const bench = { driver, signal, leased: keaPairs(control) };
  const measureSide = async (name: SideName): Promise<Density> => {
    const sides = await startNodes(home, lan, name);
    try {
      return await measureNodes(bench, sides, pods, plan);
    } finally {
      await stopProcess(sides.few.daemon);
      await stopProcess(sides.many.daemon);
    }
  };
  return { leasehold: await measureSide('leasehold'), go: await measureSide('go') };
}
