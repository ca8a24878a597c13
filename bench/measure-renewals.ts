import type { JsonObject } from '../src/base/json.ts';
import type { HomeLan } from '../src/lab/home-lan.ts';
import { stopProcess } from '../src/lab/long-process.ts';
import { pause } from '../src/lab/wait.ts';
import { attach, detach, type Bench } from './batch.ts';
import { jobsFor } from './jobs.ts';
import type { Plan } from './plan.ts';
import type { Pods } from './pods.ts';
import { cpuSeconds, processState } from './process-state.ts';
import { keaCount, keaPairsInForce } from './server-leases.ts';
import { SETTLED_MS } from './settle.ts';
import { startSides, type Pair, type Programs, type Side, type SideName, type Sides } from './sides.ts';
import { median } from './statistics.ts';

/** The leases of this measurement: both daemons go by the server's T1 (option 58). */
export const RENEWAL_LEASE = { t1: 3, t2: 9, seconds: 12 } as const;
/** Beyond the lease's end, for a server that counts whole seconds. */
const AFTER_END_MS = 2000;
const AT_ONCE = 20;

/** One window in which one side held leases and nothing but renewals happened. */
export type RenewalWindow = {
  /** ACKs that the server sent. */
  readonly renewals: number;
  /** The daemon's processor time, all threads, user and kernel. */
  readonly cpuMsEach: number;
  readonly rssMb: number;
};

export type Renewals = {
  readonly windows: readonly RenewalWindow[];
  readonly failures: readonly string[];
};

/** Leases that were in force at the server one whole lease time after the daemon was killed and started again. */
export type Kept = {
  readonly leases: number;
  readonly inForce: number;
  readonly failures: readonly string[];
};

/** Both sides with so many leases each. */
export type RenewalSize = { readonly leases: number } & Pair<Renewals>;

export type RenewalParts = {
  readonly lan: HomeLan;
  readonly programs: Programs;
  readonly pods: Pods;
  readonly control: string;
  readonly plan: Plan['renewals'];
};

/** What Kea is told, beside `leaseSeconds`. */
export function renewalTimers(): JsonObject {
  return { 'renew-timer': RENEWAL_LEASE.t1, 'rebind-timer': RENEWAL_LEASE.t2 };
}

/** The median over the pairs of what a renewal costs Leasehold, of what it costs the Go daemon. */
export function renewalShare({ leasehold, go }: Pair<Pick<Renewals, 'windows'>>): number {
  const shares = leasehold.windows.map(
    ({ cpuMsEach }, pair) => cpuMsEach / (go.windows[pair]?.cpuMsEach ?? Number.NaN),
  );
  return median(shares);
}

const NOTHING: Renewals = { windows: [], failures: [] };

async function watch({ control, plan }: RenewalParts, side: Side): Promise<RenewalWindow> {
  const { pid } = side.daemon;
  const [before, cpuBefore] = [await keaCount(control), await cpuSeconds(pid)];
  await pause(plan.seconds * 1000);
  const [after, cpuAfter] = [await keaCount(control), await cpuSeconds(pid)];
  const renewals = after.acks - before.acks;
  const { rssMb } = await processState(pid);
  return { renewals, cpuMsEach: ((cpuAfter - cpuBefore) * 1000) / renewals, rssMb };
}

async function windowOf(
  bench: Bench,
  parts: RenewalParts,
  side: Side,
  run: { readonly leases: number; readonly label: string; readonly before: Renewals },
): Promise<Renewals> {
  const { leases, label, before } = run;
  const jobs = jobsFor(parts.pods, `renewals-${leases}-${label}-${side.name}`, leases);
  const added = await attach(bench, side, jobs, AT_ONCE);
  // The first renewals do not count: code is compiled, pods ask ARP for the server, and new addresses are probed.
  await pause(SETTLED_MS);
  const window = await watch(parts, side);
  const gone = await detach(bench, side, jobs, { atOnce: AT_ONCE, pairs: added.pairs });
  return {
    windows: [...before.windows, window],
    failures: [...before.failures, ...added.failures, ...gone.failures],
  };
}

async function measureSize(
  bench: Bench,
  parts: RenewalParts,
  sides: Sides,
  leases: number,
): Promise<RenewalSize> {
  const next = async (name: SideName, pair: number, before: Renewals): Promise<Renewals> =>
    await windowOf(bench, parts, sides[name], { leases, label: String(pair), before });
  let [leasehold, go] = [NOTHING, NOTHING];
  for (let pair = 0; pair < parts.plan.pairs; pair++) {
    leasehold = await next('leasehold', pair, leasehold);
    go = await next('go', pair, go);
  }
  return { leases, leasehold, go };
}

/** Kills the daemon while it holds leases, starts it again, and waits until what nobody renewed is over. */
async function keepThroughKill(bench: Bench, parts: RenewalParts, side: Side, leases: number): Promise<Kept> {
  const jobs = jobsFor(parts.pods, `renewals-kill-${side.name}`, leases);
  const added = await attach(bench, side, jobs, AT_ONCE);
  const again = await side.killAndStart();
  try {
    await pause(RENEWAL_LEASE.seconds * 1000 + AFTER_END_MS);
    const inForce = await keaPairsInForce(parts.control)();
    const gone = await detach(bench, again, jobs, { atOnce: AT_ONCE, pairs: added.pairs });
    return {
      leases,
      inForce: inForce.intersection(added.pairs).size,
      failures: [...added.failures, ...gone.failures],
    };
  } finally {
    await stopProcess(again.daemon);
  }
}

/** Pairs of A then B with fresh daemons, for each number of leases; at the end both are killed. */
export async function measureRenewals(
  bench: Bench,
  parts: RenewalParts,
): Promise<{ readonly sizes: readonly RenewalSize[]; readonly kept: Pair<Kept> }> {
  const sides = await startSides(parts.lan, parts.programs, 'renewals');
  const own = { ...bench, conf: sides.conf };
  const sizes: RenewalSize[] = [];
  try {
    for (const leases of parts.plan.leases) sizes.push(await measureSize(own, parts, sides, leases));
    const [fewest = 0] = parts.plan.leases;
    const kept = {
      leasehold: await keepThroughKill(own, parts, sides.leasehold, fewest),
      go: await keepThroughKill(own, parts, sides.go, fewest),
    };
    return { sizes, kept };
  } finally {
    await sides.stop();
  }
}
