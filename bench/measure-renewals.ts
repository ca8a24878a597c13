import type { JsonObject } from '../src/base/json.ts';
import { stopProcess } from '../src/lab/long-process.ts';
import { pause } from '../src/lab/wait.ts';
import { attach, detach, type Bench } from './batch.ts';
import type { BenchHome } from './home.ts';
import { jobsFor } from './jobs.ts';
import type { Plan } from './plan.ts';
import { cpuSeconds, processState } from './process-state.ts';
import { keaCount, keaPairsInForce } from './server-leases.ts';
import { SETTLED_MS } from './settle.ts';
import { startSides, type Pair, type Side, type SideName, type Sides } from './sides.ts';
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

export type RenewalWindows = {
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
export type RenewalSize = { readonly leases: number } & Pair<RenewalWindows>;

export type Renewals = { readonly sizes: readonly RenewalSize[]; readonly kept: Pair<Kept> };

/** What Kea is told, beside `leaseSeconds`. */
export function renewalTimers(): JsonObject {
  return { 'renew-timer': RENEWAL_LEASE.t1, 'rebind-timer': RENEWAL_LEASE.t2 };
}

/** The median over the pairs of what a renewal costs Leasehold, of what it costs the Go daemon. */
export function renewalShare({ leasehold, go }: Pair<Pick<RenewalWindows, 'windows'>>): number {
  const shares = leasehold.windows.map(
    ({ cpuMsEach }, pair) => cpuMsEach / (go.windows[pair]?.cpuMsEach ?? Number.NaN),
  );
  return median(shares);
}

const NOTHING: RenewalWindows = { windows: [], failures: [] };

async function watch(control: string, seconds: number, side: Side): Promise<RenewalWindow> {
  const { pid } = side.daemon;
  const [before, cpuBefore] = [await keaCount(control), await cpuSeconds(pid)];
  await pause(seconds * 1000);
  const [after, cpuAfter] = [await keaCount(control), await cpuSeconds(pid)];
  const renewals = after.acks - before.acks;
  const { rssMb } = await processState(pid);
  return { renewals, cpuMsEach: ((cpuAfter - cpuBefore) * 1000) / renewals, rssMb };
}

async function windowOf(
  bench: Bench,
  { pods, control }: BenchHome,
  side: Side,
  run: {
    readonly leases: number;
    readonly seconds: number;
    readonly label: string;
    readonly before: RenewalWindows;
  },
): Promise<RenewalWindows> {
  const { leases, seconds, label, before } = run;
  const jobs = jobsFor(pods, `renewals-${leases}-${label}-${side.name}`, leases);
  const added = await attach(bench, side, jobs, AT_ONCE);
  // The first renewals do not count: code is compiled, pods ask ARP for the server, and new addresses are probed.
  await pause(SETTLED_MS);
  const window = await watch(control, seconds, side);
  const gone = await detach(bench, side, jobs, { atOnce: AT_ONCE, pairs: added.pairs });
  return {
    windows: [...before.windows, window],
    failures: [...before.failures, ...added.failures, ...gone.failures],
  };
}

async function measureSize(
  bench: Bench,
  home: BenchHome,
  sides: Sides,
  size: Plan['renewals']['sizes'][number] & { readonly seconds: number },
): Promise<RenewalSize> {
  const { leases, pairs, seconds } = size;
  const next = async (name: SideName, pair: number, before: RenewalWindows): Promise<RenewalWindows> =>
    await windowOf(bench, home, sides[name], { leases, seconds, label: String(pair), before });
  let [leasehold, go] = [NOTHING, NOTHING];
  for (let pair = 0; pair < pairs; pair++) {
    leasehold = await next('leasehold', pair, leasehold);
    go = await next('go', pair, go);
  }
  return { leases, leasehold, go };
}

/** Kills the daemon while it holds leases, starts it again, and waits until what nobody renewed is over. */
async function keepThroughKill(
  bench: Bench,
  { pods, control }: BenchHome,
  side: Side,
  leases: number,
): Promise<Kept> {
  const jobs = jobsFor(pods, `renewals-kill-${side.name}`, leases);
  const added = await attach(bench, side, jobs, AT_ONCE);
  const again = await side.killAndStart();
  try {
    await pause(RENEWAL_LEASE.seconds * 1000 + AFTER_END_MS);
    const inForce = await keaPairsInForce(control)();
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
export async function measureRenewals(home: BenchHome, { renewals: plan }: Plan): Promise<Renewals> {
  const bench = await home.kea({ leaseSeconds: RENEWAL_LEASE.seconds, timers: renewalTimers() });
  const sides = await startSides(home.lan, home.programs, 'renewals');
  const sizes: RenewalSize[] = [];
  try {
    for (const size of plan.sizes) {
      sizes.push(await measureSize(bench, home, sides, { ...size, seconds: plan.seconds }));
    }
    const fewest = plan.sizes[0]?.leases ?? 0;
    const kept = {
      leasehold: await keepThroughKill(bench, home, sides.leasehold, fewest),
      go: await keepThroughKill(bench, home, sides.go, fewest),
    };
    return { sizes, kept };
  } finally {
    await sides.stop();
  }
}
