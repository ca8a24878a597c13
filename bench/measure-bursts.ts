import { pause } from '../src/lab/wait.ts';
import { attach, detach, type Batch, type Bench, type Detached } from './batch.ts';
import type { BenchHome } from './home.ts';
import { jobsFor } from './jobs.ts';
import type { Plan } from './plan.ts';
import type { Pods } from './pods.ts';
import { cpuSeconds } from './process-state.ts';
import { REST_MS, SETTLED_MS } from './settle.ts';
import { startSides, type Sides, type Trio } from './sides.ts';

/** Rounds of `size` containers at once. */
export type Burst = {
  readonly adds: readonly Batch[];
  readonly dels: readonly Detached[];
  /** The daemon's processor time for each ADD with what it does after the answer, of a burst that counts in nothing else. */
  readonly settledCpuMsEach?: number;
  readonly settledFailures?: readonly string[];
};
export type BurstSize = { readonly size: number } & Trio<Burst>;

const AT_ONCE = 20;
const NOTHING: Burst = { adds: [], dels: [] };

async function measureSize(
  bench: Bench,
  sides: Sides,
  pods: Pods,
  { size, rounds, withHostSide }: Plan['bursts'][number] & { readonly withHostSide: boolean },
): Promise<BurstSize> {
  const block = async (name: keyof Trio<unknown>, round: number, before: Burst): Promise<Burst> => {
    const jobs = jobsFor(pods, `burst-${size}-${round}-${name}`, size);
    const added = await attach(bench, sides[name], jobs, size);
    const gone = await detach(bench, sides[name], jobs, { atOnce: size, pairs: added.pairs });
    await pause(REST_MS);
    return { adds: [...before.adds, added], dels: [...before.dels, gone] };
  };
  let [leasehold, hostSide, go] = [NOTHING, NOTHING, NOTHING];
  for (let round = 0; round < rounds; round++) {
    leasehold = await block('leasehold', round, leasehold);
    if (withHostSide) hostSide = await block('hostSide', round, hostSide);
    go = await block('go', round, go);
  }
  if (!withHostSide) return { size, leasehold, hostSide, go };
  const settled = async (name: keyof Trio<unknown>, before: Burst): Promise<Burst> => {
    const side = sides[name];
    const jobs = jobsFor(pods, `burst-${size}-settled-${name}`, size);
    const cpuBefore = await cpuSeconds(side.daemon.pid);
    const added = await attach(bench, side, jobs, size);
    await pause(SETTLED_MS);
    const cpuMs = ((await cpuSeconds(side.daemon.pid)) - cpuBefore) * 1000;
    const gone = await detach(bench, side, jobs, { atOnce: AT_ONCE, pairs: added.pairs });
    const failures = [...added.failures, ...gone.failures];
    return { ...before, settledCpuMsEach: cpuMs / added.timesMs.length, settledFailures: failures };
  };
  return {
    size,
    leasehold: await settled('leasehold', leasehold),
    hostSide: await settled('hostSide', hostSide),
    go: await settled('go', go),
  };
}

/** All sizes, each with both sides in turn; the last, which is the largest, with the node's part too. */
export async function measureBursts(home: BenchHome, { bursts: plan }: Plan): Promise<readonly BurstSize[]> {
  const bench = await home.kea();
  const sides = await startSides(home.lan, home.programs, 'bursts');
  const sizes: BurstSize[] = [];
  for (const burst of plan) {
    sizes.push(await measureSize(bench, sides, home.pods, { ...burst, withHostSide: burst === plan.at(-1) }));
  }
  await sides.stop();
  return sizes;
}
