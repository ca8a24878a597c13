import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as v from 'valibot';
import type { Mac } from '../src/base/mac.ts';
import { signalProcess, stopProcess, type LongProcess } from '../src/lab/long-process.ts';
import { run } from '../src/lab/process.ts';
import { readIfThere } from '../src/lab/server.ts';
import { pause, waitFor } from '../src/lab/wait.ts';
import { attach, detach, type Batch, type Bench } from './batch.ts';
import { captureDhcp } from './capture.ts';
import { readClocks } from './clocks.ts';
import type { Job } from './driver.ts';
import type { BenchHome } from './home.ts';
import { jobsFor } from './jobs.ts';
import { latenessIn, readDues, type Due, type Lateness, type Window } from './lateness.ts';
import type { LoopSeen } from './loop-probe.ts';
import { RENEWAL_LEASE, renewalTimers } from './measure-renewals.ts';
import type { Plan } from './plan.ts';
import { macOfPair } from './server-leases.ts';
import { SETTLED_MS } from './settle.ts';
import { recordsFolder, startLeasehold, withHostSide, type Side } from './sides.ts';

const LABEL = 'disturbance';
const AT_ONCE = 20;
/** The pods that renew come in so many groups, one after another, so that at any moment some are due. */
const GROUPS = 10;
const GROUP_EVERY_MS = (RENEWAL_LEASE.t1 * 1000) / GROUPS;
const JITTER_MS = 2000;
const NS_PER_MS = 1e6;

const seenSchema = v.object({
  maxMs: v.number(),
  maxOwnMs: v.number(),
  p99OwnMs: v.number(),
  turns: v.number(),
});

/** One burst, or a window in which nothing but the renewals happened. */
export type Disturbed = Lateness & { readonly loop: LoopSeen; readonly seconds: number };

export type Disturbance = {
  /** Windows without a burst. */
  readonly quiet: readonly Disturbed[];
  /** Bursts of ADDs and DELs by `macvlan` with `dhcp`, and by type `leasehold`. */
  readonly bursts: Readonly<
    Record<'leasehold' | 'hostSide', Readonly<Record<'adds' | 'dels', readonly Disturbed[]>>>
  >;
  /** By jitter.c, before there was anything to do: the longest gap of a program that always runs. */
  readonly jitter: { readonly longestMs: number; readonly ownMs: number };
  readonly failures: readonly string[];
  /** Frames that the capture missed. */
  readonly dropped: number;
};

/** A window as it is before the capture has ended. */
type Watched = { readonly due: Due; readonly window: Window; readonly loop: LoopSeen };

async function readProbe(daemon: LongProcess, file: string): Promise<LoopSeen> {
  await rm(file, { force: true });
  signalProcess(daemon, 'SIGUSR2');
  const text = await waitFor('the event loop probe', async () => (await readIfThere(file)) || undefined);
  return v.parse(seenSchema, JSON.parse(text));
}

async function measureJitter(program: string): Promise<Disturbance['jitter']> {
  const [, longest, own] = (await run([program, String(JITTER_MS)])).split(' ');
  return { longestMs: Number(longest) / NS_PER_MS, ownMs: Number(own) / NS_PER_MS };
}

/** Watches the loop and the renewals of the pods that were there before, while something is done. */
class Watcher {
  readonly #daemon: LongProcess;
  readonly #probe: string;
  readonly #records: string;
  readonly #macs: ReadonlySet<Mac>;

  constructor(
    daemon: LongProcess,
    files: { readonly probe: string; readonly records: string },
    macs: ReadonlySet<Mac>,
  ) {
    this.#daemon = daemon;
    this.#probe = files.probe;
    this.#records = files.records;
    this.#macs = macs;
  }

  async during<T extends Pick<Batch, 'beganMs' | 'endedMs'>>(
    act: () => Promise<T>,
  ): Promise<{ readonly done: T; readonly watched: Watched }> {
    const clocks = readClocks();
    const due = await readDues(this.#records, clocks, this.#macs);
    await readProbe(this.#daemon, this.#probe);
    const done = await act();
    const loop = await readProbe(this.#daemon, this.#probe);
    const window = { fromMs: done.beganMs + clocks.monotonic, toMs: done.endedMs + clocks.monotonic };
    return { done, watched: { due, window, loop } };
  }
}

function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / NS_PER_MS;
}

async function nothingFor(ms: number): Promise<Pick<Batch, 'beganMs' | 'endedMs'>> {
  const beganMs = monotonicMs();
  await pause(ms);
  return { beganMs, endedMs: monotonicMs() };
}

type Kind = {
  readonly name: string;
  readonly side: Side;
  readonly adds: Watched[];
  readonly dels: Watched[];
};

type Rounds = { readonly quiet: readonly Watched[]; readonly failures: readonly string[] };

/** Bursts of both kinds in turn. The first round does not count: it is for the JavaScript engine's compiler. */
async function measureRounds(
  bench: Bench,
  home: BenchHome,
  watcher: Watcher,
  { plan, kinds }: { readonly plan: Plan['disturbance']; readonly kinds: readonly Kind[] },
): Promise<Rounds> {
  const quiet: Watched[] = [];
  const failures: string[] = [];
  for (let round = -1; round < plan.rounds; round++) {
    if (round >= 0) quiet.push((await watcher.during(() => nothingFor(plan.quietMs))).watched);
    for (const { name, side, adds, dels } of kinds) {
      const jobs = jobsFor(home.pods, `${LABEL}-${round}-${name}`, plan.burst, plan.renewing);
      const added = await watcher.during(() => attach(bench, side, jobs, plan.burst));
      const { pairs } = added.done;
      const gone = await watcher.during(() => detach(bench, side, jobs, { atOnce: plan.burst, pairs }));
      failures.push(...added.done.failures, ...gone.done.failures);
      if (round < 0) continue;
      adds.push(added.watched);
      dels.push(gone.watched);
    }
  }
  return { quiet, failures };
}

/** In groups over one T1: pods that come together renew together, and a burst would meet all of them or none. */
async function attachSpread(
  bench: Bench,
  side: Side,
  jobs: readonly Job[],
): Promise<{ readonly pairs: ReadonlySet<string>; readonly failures: readonly string[] }> {
  const perGroup = Math.ceil(jobs.length / GROUPS);
  const failures: string[] = [];
  const pairs = new Set<string>();
  for (let at = 0; at < jobs.length; at += perGroup) {
    const begun = performance.now();
    const added = await attach(bench, side, jobs.slice(at, at + perGroup), AT_ONCE);
    failures.push(...added.failures);
    for (const pair of added.pairs) pairs.add(pair);
    await pause(Math.max(0, begun + GROUP_EVERY_MS - performance.now()));
  }
  return { pairs, failures };
}

/** Bursts beside pods that renew short leases, with a daemon of its own that carries the probe of its event loop. */
export async function measureDisturbance(home: BenchHome, { disturbance: plan }: Plan): Promise<Disturbance> {
  const { lan, pods, options } = home;
  const { root } = home.programs;
  const jitter = await measureJitter(options.jitter);
  const bench = await home.kea({ leaseSeconds: RENEWAL_LEASE.seconds, timers: renewalTimers() });
  const probe = join(lan.folder, 'loop-probe.json');
  const module = pathToFileURL(join(import.meta.dirname, 'loop-probe.ts')).href;
  const side = await startLeasehold(lan, root, LABEL, {
    env: { NODE_OPTIONS: `--import=${module}`, LEASEHOLD_LOOP_PROBE: probe },
  });
  const hostSide = await withHostSide(lan, side);
  const kinds: Readonly<Record<'leasehold' | 'hostSide', Kind>> = {
    leasehold: { name: 'macvlan', side, adds: [], dels: [] },
    hostSide: { name: 'leasehold', side: hostSide, adds: [], dels: [] },
  };
  try {
    const jobs = jobsFor(pods, `${LABEL}-renewing`, plan.renewing);
    const added = await attachSpread(bench, hostSide, jobs);
    await pause(SETTLED_MS);
    const macs = new Set([...added.pairs].map(macOfPair));
    const watcher = new Watcher(side.daemon, { probe, records: recordsFolder(lan, LABEL) }, macs);
    const endCapture = await captureDhcp(lan);
    const rounds = await measureRounds(bench, home, watcher, { plan, kinds: Object.values(kinds) });
    const { seen, dropped } = await endCapture();
    const gone = await detach(bench, hostSide, jobs, { atOnce: AT_ONCE, pairs: added.pairs });
    const judge = (all: readonly Watched[]): readonly Disturbed[] =>
      all.map(({ due, window, loop }) => ({
        ...latenessIn(seen, due, window),
        loop,
        seconds: (window.toMs - window.fromMs) / 1000,
      }));
    const both = ({ adds, dels }: Kind): Record<'adds' | 'dels', readonly Disturbed[]> => ({
      adds: judge(adds),
      dels: judge(dels),
    });
    return {
      quiet: judge(rounds.quiet),
      bursts: { leasehold: both(kinds.leasehold), hostSide: both(kinds.hostSide) },
      jitter,
      failures: [...added.failures, ...rounds.failures, ...gone.failures],
      dropped,
    };
  } finally {
    await stopProcess(side.daemon);
  }
}
