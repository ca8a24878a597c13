import { pause } from '../src/lab/wait.ts';
import { attach, detach, type Bench } from './batch.ts';
import type { BenchHome } from './home.ts';
import { jobsFor } from './jobs.ts';
import type { Plan } from './plan.ts';
import type { Pods } from './pods.ts';
import { processState, watchActivity, type Activity, type ProcessState } from './process-state.ts';
import { SETTLED_MS } from './settle.ts';
import { startSides, type Pair, type SideName, type Sides } from './sides.ts';

/** So many at once: a node that starts, not a stampede. */
const AT_ONCE = 20;

/** What the daemon did while nothing was asked of it. */
export type Idle = { readonly leases: number; readonly seconds: number; readonly activity: Activity };

export type Footprint = {
  readonly states: readonly { readonly leases: number; readonly state: ProcessState }[];
  /** With no lease, and with the most. */
  readonly idle: readonly Idle[];
  readonly failures: readonly string[];
};

async function watchIdle(pid: number, leases: number, seconds: number): Promise<Idle> {
  const end = await watchActivity(pid);
  await pause(seconds * 1000);
  return { leases, seconds, activity: await end() };
}

type FootprintPlan = Pick<Plan, 'leaseSteps' | 'idleSeconds'>;

async function measureSide(
  bench: Bench,
  sides: Sides,
  name: SideName,
  { pods, plan }: { readonly pods: Pods; readonly plan: FootprintPlan },
): Promise<Footprint> {
  const side = sides[name];
  const states: { leases: number; state: ProcessState }[] = [];
  const idle: Idle[] = [];
  const failures: string[] = [];
  const pairs = new Set<string>();
  let held = 0;
  for (const leases of plan.leaseSteps) {
    if (leases > held) {
      const jobs = jobsFor(pods, `footprint-${name}`, leases - held, held);
      const added = await attach(bench, side, jobs, AT_ONCE);
      failures.push(...added.failures);
      for (const pair of added.pairs) pairs.add(pair);
      held = leases;
      await pause(SETTLED_MS);
    }
    states.push({ leases, state: await processState(side.daemon.pid) });
    if (leases === 0 || leases === plan.leaseSteps.at(-1)) {
      idle.push(await watchIdle(side.daemon.pid, leases, plan.idleSeconds));
    }
  }
  const gone = await detach(bench, side, jobsFor(pods, `footprint-${name}`, held), {
    atOnce: AT_ONCE,
    pairs,
  });
  return { states, idle, failures: [...failures, ...gone.failures] };
}

/** What fresh daemons take of the machine with a growing number of leases, one daemon after the other. */
export async function measureFootprint(home: BenchHome, plan: FootprintPlan): Promise<Pair<Footprint>> {
  const bench = await home.kea();
  const sides = await startSides(home.lan, home.programs, 'footprint');
  const { pods } = home;
  const leasehold = await measureSide(bench, sides, 'leasehold', { pods, plan });
  const go = await measureSide(bench, sides, 'go', { pods, plan });
  await sides.stop();
  return { leasehold, go };
}
