import { pause } from '../src/lab/wait.ts';
import type { Done, Driver, Job } from './driver.ts';
import { pairOf, type LeasedPairs } from './server-leases.ts';
import type { Side } from './sides.ts';
import { largest } from './statistics.ts';

/** A server may still be reading a RELEASE when the DEL that sent it has returned. */
const RELEASE_SETTLES_MS = 300;
const ASK_EVERY_MS = 20;

/** What a number of ADDs or DELs gave. A failed one is in `failures`, and its time is in none of the numbers. */
export type Batch = {
  readonly timesMs: readonly number[];
  /** Successes by the time from the first start to the last end. */
  readonly perSecond: number;
  readonly slowestMs: number;
  readonly failures: readonly string[];
  /** The daemon's processor time for each success, its threads and the kernel's work for them included. */
  readonly cpuMsEach: number;
  /** From just before the first start to just after the last end, on CLOCK_MONOTONIC. */
  readonly beganMs: number;
  readonly endedMs: number;
};

/** After a DEL: leases that the server still has. */
export type Detached = Batch & { readonly leftAtServer: number };

export type Bench = {
  readonly driver: Driver;
  readonly leased: LeasedPairs;
  readonly signal: AbortSignal;
};

function elapsed(done: Done): number {
  return done.endMs - done.startMs;
}

function summarize(all: readonly Done[], wrongOf: (done: Done) => string | undefined, cpuMs: number): Batch {
  const judged = all.map((done) => ({ done, wrong: wrongOf(done) }));
  const good = judged.filter(({ wrong }) => wrong === undefined).map(({ done }) => done);
  const first = Math.min(...all.map(({ startMs }) => startMs));
  const last = largest(all.map(({ endMs }) => endMs));
  const timesMs = good.map(elapsed);
  return {
    timesMs,
    perSecond: (good.length / (last - first)) * 1000,
    slowestMs: largest(timesMs),
    failures: judged.flatMap(({ wrong }) => (wrong === undefined ? [] : [wrong])),
    // What failed ones cost is a cost of those that did not.
    cpuMsEach: cpuMs / good.length,
    beganMs: first,
    endedMs: last,
  };
}

function commandFailure(done: Done): string | undefined {
  return done.status === 0 ? undefined : `exit status ${done.status}: ${done.said}`;
}

async function execute(
  bench: Bench,
  side: Side,
  run: { readonly command: 'ADD' | 'DEL'; readonly jobs: readonly Job[]; readonly atOnce: number },
): Promise<{ readonly all: readonly Done[]; readonly cpuMs: number }> {
  const { signal } = bench;
  const { node, plugin, env, conf } = side;
  const { command, jobs, atOnce } = run;
  const asked = { node, daemon: side.daemon.pid, command, plugin, conf, atOnce, env, signal };
  const { done, cpuMs } = await bench.driver.run(jobs, asked);
  const missing = jobs.slice(done.length).map((job) => ({
    id: job.id,
    startMs: done[0]?.startMs ?? 0,
    endMs: done.at(-1)?.endMs ?? 0,
    status: 1,
    stdoutBytes: 0,
    seen: undefined,
    said: 'not started: those before it took too long',
  }));
  return { all: [...done, ...missing], cpuMs };
}

/** ADDs; one counts when its container has an address that the server leased to its MAC address. */
export async function attach(
  bench: Bench,
  side: Side,
  jobs: readonly Job[],
  atOnce: number,
): Promise<Batch & { readonly pairs: ReadonlySet<string> }> {
  const { all, cpuMs } = await execute(bench, side, { command: 'ADD', jobs, atOnce });
  const leased = await bench.leased();
  const pairs = new Set<string>();
  const wrong = (done: Done): string | undefined => {
    const failed = commandFailure(done);
    if (failed !== undefined) return failed;
    if (done.stdoutBytes === 0) return 'no result on standard output';
    if (done.seen?.address === undefined) return 'exit status 0, but the container has no address';
    const pair = pairOf(done.seen.address, done.seen.mac);
    pairs.add(pair);
    return leased.has(pair) ? undefined : `exit status 0, but the server has no lease ${pair}`;
  };
  return { ...summarize(all, wrong, cpuMs), pairs };
}

function detachFailure(done: Done): string | undefined {
  const failed = commandFailure(done);
  if (failed !== undefined || done.seen === undefined) return failed;
  return 'exit status 0, but the link is still there';
}

async function countLeft(leased: LeasedPairs, pairs: ReadonlySet<string>): Promise<number> {
  const end = performance.now() + RELEASE_SETTLES_MS;
  for (;;) {
    const left = (await leased()).intersection(pairs).size;
    if (left === 0 || performance.now() > end) return left;
    await pause(ASK_EVERY_MS);
  }
}

/** DELs; one counts when the container's link is gone. `pairs` are the leases that should go with them. */
export async function detach(
  bench: Bench,
  side: Side,
  jobs: readonly Job[],
  given: { readonly atOnce: number; readonly pairs: ReadonlySet<string> },
): Promise<Detached> {
  const { all, cpuMs } = await execute(bench, side, { command: 'DEL', jobs, atOnce: given.atOnce });
  const leftAtServer = await countLeft(bench.leased, given.pairs);
  return { ...summarize(all, detachFailure, cpuMs), leftAtServer };
}
