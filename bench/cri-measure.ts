import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sandboxConfig } from '../e2e/support/cri/pods.ts';
import type { Runtime } from '../e2e/support/cri/runtime.ts';
import { isErrno } from '../src/lab/errno.ts';
import type { HomeLan } from '../src/lab/home-lan.ts';
import { DeadlineError, pause, waitFor } from '../src/lab/wait.ts';
import { PARTS, SIDES, type Each, type SideName } from './cri-sides.ts';
import { median } from './statistics.ts';

const NS_PER_MS = 1e6;
const US_PER_MS = 1e3;
/** The kernel ends network namespaces after the call that removed them; that should not fall into the next round. */
const NAMESPACES_END_MS = 1500;
const RELEASES_DEADLINE_MS = 5000;

/** Sandboxes of each side, twice, that do not count. */
const WARM_UP = 8;

/** Sandboxes at once, and how many rounds of all sides. `atOnce` 1: `perRound` of them one after another in each round. */
export type CriSize = { readonly atOnce: number; readonly perRound: number; readonly rounds: number };

/** Of one side in one round. Times in ms; `cpu` is the processor time of the node for each sandbox. */
export type CriRound = {
  readonly run: { readonly p50: number; readonly all: number; readonly cpu: number };
  readonly stop: { readonly p50: number; readonly all: number; readonly cpu: number };
};
export type CriSizeMeasured = { readonly size: CriSize; readonly rounds: readonly Each<CriRound>[] };

type Timed = { readonly p50: number; readonly all: number; readonly cpu: number };

/** Processor time so far of the daemons, the runtime, its shims, runc and plugins, and the sandboxes; ms. */
async function cpuMs(cgroup: string): Promise<number> {
  const parts = await Promise.all(PARTS.map(async (part) => await cgroupCpuMs(join(cgroup, part))));
  return parts.reduce((total, part) => total + part, 0);
}

/** Of a cgroup of version 1 (cpuacct.usage) or 2 (cpu.stat); one that was not made yet has used none. */
async function cgroupCpuMs(path: string): Promise<number> {
  const first = await readIfThere(join('/sys/fs/cgroup/cpuacct', path, 'cpuacct.usage'));
  if (first !== undefined) return Number(first) / NS_PER_MS;
  const second = await readIfThere(join('/sys/fs/cgroup', path, 'cpu.stat'));
  return Number(/^usage_usec (\d+)/m.exec(second ?? '')?.[1] ?? 0) / US_PER_MS;
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

type Parts = { readonly lan: HomeLan; readonly runtimes: Each<Runtime> };

class Sandboxes {
  readonly #parts: Parts;
  readonly #cgroup: string;
  #made = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#cgroup = parts.runtimes.leasehold.space.cgroup.path;
  }

  async #timed<T>(count: number, calls: readonly (() => Promise<T>)[]): Promise<Timed & { results: T[] }> {
    const before = await cpuMs(this.#cgroup);
    const begun = performance.now();
    const answered = await Promise.all(
      calls.map(async (call) => {
        const started = performance.now();
        return { result: await call(), ms: performance.now() - started };
      }),
    );
    const all = performance.now() - begun;
    const cpu = ((await cpuMs(this.#cgroup)) - before) / count;
    return {
      p50: median(answered.map(({ ms }) => ms)),
      all,
      cpu,
      results: answered.map((one) => one.result),
    };
  }

  /** Runs so many at once, looks whether each has a lease, and stops and removes them. Rejects when one fails. */
  async round(side: SideName, count: number): Promise<CriRound> {
    const runtime = this.#parts.runtimes[side];
    const { cri } = runtime;
    const configs = Array.from({ length: count }, () => {
      this.#made += 1;
      return sandboxConfig(runtime, `bench-${this.#made}`);
    });
    const run = await this.#timed(
      count,
      configs.map((config) => async () => await cri.runPodSandbox(config, side)),
    );
    if (side !== 'nothing') await this.#assertLeased(runtime, run.results);
    const stop = await this.#timed(
      count,
      run.results.map((id) => async () => await cri.stopPodSandbox(id)),
    );
    await Promise.all(run.results.map(async (id) => await cri.removePodSandbox(id)));
    return { run, stop };
  }

  async #assertLeased(runtime: Runtime, ids: readonly string[]): Promise<void> {
    const { lan } = this.#parts;
    const leased = new Set((await lan.server.leases()).map(({ ip }) => String(ip)));
    for (const id of ids) {
      const { ip } = await runtime.cri.podSandboxStatus(id);
      if (!leased.has(ip)) throw new Error(`sandbox ${id} has the address "${ip}", which no lease has`);
    }
  }

  /** Waits until what was stopped is gone everywhere, so that it does not count for who comes next. */
  async settle(): Promise<void> {
    const { lan } = this.#parts;
    const none = async (): Promise<boolean> => (await lan.server.leases()).length === 0;
    try {
      await waitFor('the leases of stopped sandboxes to be released', none, {
        deadlineMs: RELEASES_DEADLINE_MS,
      });
    } catch (error) {
      // A RELEASE may be lost; the server has room for all.
      if (!(error instanceof DeadlineError)) throw error;
    }
    await pause(NAMESPACES_END_MS);
  }
}

export type CriMeasureParts = Parts & {
  readonly sizes: readonly CriSize[];
  /** No new round begins after so long, ms since the start of the process; each size has one at least. */
  readonly untilMs: number;
  readonly say: (text: string) => void;
};

async function oneRound(sandboxes: Sandboxes, side: SideName, size: CriSize): Promise<CriRound> {
  const singles: CriRound[] = [];
  for (let at = 0; at < size.perRound; at++) singles.push(await sandboxes.round(side, size.atOnce));
  const middle = (of: (round: CriRound) => number): number => median(singles.map(of));
  return {
    run: {
      p50: middle(({ run }) => run.p50),
      all: middle(({ run }) => run.all),
      cpu: middle(({ run }) => run.cpu),
    },
    stop: {
      p50: middle(({ stop }) => stop.p50),
      all: middle(({ stop }) => stop.all),
      cpu: middle(({ stop }) => stop.cpu),
    },
  };
}

/** Rounds of all sides, the order turned round each time: what else the machine does changes over seconds. */
export async function measureCri(parts: CriMeasureParts): Promise<readonly CriSizeMeasured[]> {
  const sandboxes = new Sandboxes(parts);
  parts.say('each once, not counted: code is read from disk, and the JavaScript engine compiles');
  for (const side of [...SIDES, ...SIDES]) await sandboxes.round(side, WARM_UP);
  const most = Math.max(...parts.sizes.map(({ rounds }) => rounds));
  const measured = parts.sizes.map((size) => ({ size, rounds: [] as Each<CriRound>[] }));
  for (let at = 0; at < most; at++) {
    for (const { size, rounds } of measured) {
      if (at >= size.rounds || (at > 0 && performance.now() > parts.untilMs)) continue;
      parts.say(`${size.atOnce} at once, round ${at + 1} of ${size.rounds}`);
      rounds.push(await roundOfAll(sandboxes, size, at % 2 === 1));
    }
  }
  return measured;
}

/** All sides, one after another. */
async function roundOfAll(sandboxes: Sandboxes, size: CriSize, backwards: boolean): Promise<Each<CriRound>> {
  const done: Partial<Record<SideName, CriRound>> = {};
  for (const side of backwards ? SIDES.toReversed() : SIDES) {
    done[side] = await oneRound(sandboxes, side, size);
    await sandboxes.settle();
  }
  return complete(done);
}

function complete(done: Readonly<Partial<Record<SideName, CriRound>>>): Each<CriRound> {
  const { nothing, leasehold, dropin, go } = done;
  if (nothing === undefined || leasehold === undefined || dropin === undefined || go === undefined)
    throw new Error('a round is one of each side');
  return { nothing, leasehold, dropin, go };
}
