import { attach, detach, type Bench } from './batch.ts';
import { jobsFor } from './jobs.ts';
import type { Pods } from './pods.ts';
import { processState, type ProcessState } from './process-state.ts';
import type { Pair, SideName, Sides } from './sides.ts';

/** So many at once: a node that starts, not a stampede. */
const AT_ONCE = 20;

export type Footprint = {
  readonly states: readonly { readonly leases: number; readonly state: ProcessState }[];
  readonly failures: readonly string[];
};

async function measureSide(
  bench: Bench,
  sides: Sides,
  name: SideName,
  { pods, steps }: { readonly pods: Pods; readonly steps: readonly number[] },
): Promise<Footprint> {
  const side = sides[name];
  const states: { leases: number; state: ProcessState }[] = [];
  const failures: string[] = [];
  const pairs = new Set<string>();
  let held = 0;
  for (const leases of steps) {
    if (leases > held) {
      const jobs = jobsFor(pods, `footprint-${name}`, leases - held, held);
      const added = await attach(bench, side, jobs, AT_ONCE);
      failures.push(...added.failures);
      for (const pair of added.pairs) pairs.add(pair);
      held = leases;
    }
    states.push({ leases, state: await processState(side.daemon.pid) });
  }
  const gone = await detach(bench, side, jobsFor(pods, `footprint-${name}`, held), {
    atOnce: AT_ONCE,
    pairs,
  });
  return { states, failures: [...failures, ...gone.failures] };
}

/** What fresh daemons take of the machine with a growing number of leases, one daemon after the other. */
export async function measureFootprint(
  bench: Bench,
  sides: Sides,
  pods: Pods,
  steps: readonly number[],
): Promise<Pair<Footprint>> {
  return {
    leasehold: await measureSide(bench, sides, 'leasehold', { pods, steps }),
    go: await measureSide(bench, sides, 'go', { pods, steps }),
  };
}
