import * as v from 'valibot';
import { getOverSocket } from '../src/lab/daemon.ts';
import type { HomeLan } from '../src/lab/home-lan.ts';
import { stopProcess } from '../src/lab/long-process.ts';
import { pause, waitFor } from '../src/lab/wait.ts';
import { attach, detach } from './batch.ts';
import type { BenchHome } from './home.ts';
import { jobsFor } from './jobs.ts';
import type { Plan } from './plan.ts';
import {
  cpuSeconds,
  processState,
  watchActivity,
  type Activity,
  type ProcessState,
} from './process-state.ts';
import { SETTLED_MS } from './settle.ts';
import { kill, startLeasehold, withHostSide, type LeaseholdSide } from './sides.ts';

const AT_ONCE = 20;
const HTTP_OK = 200;
const ASK_EVERY_MS = 5;
const LABEL = 'host-side';
const TAKE_UP_LIMIT_MS = 60_000;
/** A daemon that uses less than a tick of its processor time in so long is through with its pods. */
const QUIET_MS = 500;
const QUIET_CPU_MS = 20;

/** One start of the daemon on what a killed one left. */
export type HostSideStart = {
  readonly readyMs: number;
  /** From the start until it has looked into every pod: nothing more is done then. */
  readonly quietMs: number;
  readonly cpuMs: number;
  /** What it put back, and so what it found wrong. */
  readonly repairs: number;
};

/** A daemon whose pods all have the node's part. */
export type HostSideFootprint = {
  readonly attachments: number;
  readonly state: ProcessState;
  readonly idle: Activity;
  readonly seconds: number;
  readonly starts: readonly HostSideStart[];
  readonly failures: readonly string[];
};

const hostSchema = v.object({ attachments: v.number(), repairs: v.number() });

async function readHost(socket: string): Promise<v.InferOutput<typeof hostSchema>> {
  const answer = await getOverSocket(socket, '/v1/host');
  return v.parse(hostSchema, JSON.parse(answer?.body ?? '{}'));
}

async function isReady(socket: string): Promise<boolean> {
  return (await getOverSocket(socket, '/readyz'))?.status === HTTP_OK;
}

/** Until the daemon rests: when it began to, and the processor time that it had used by then. */
async function untilQuiet(
  pid: number,
  begun: number,
): Promise<{ readonly quietMs: number; readonly cpuMs: number }> {
  const limit = begun + TAKE_UP_LIMIT_MS;
  for (;;) {
    const [at, before] = [performance.now(), await cpuSeconds(pid)];
    await pause(QUIET_MS);
    const used = ((await cpuSeconds(pid)) - before) * 1000;
    if (used <= QUIET_CPU_MS || performance.now() > limit)
      return { quietMs: at - begun, cpuMs: before * 1000 };
  }
}

async function startOnce(
  lan: HomeLan,
  root: string,
  attachments: number,
): Promise<{ readonly side: LeaseholdSide; readonly start: HostSideStart }> {
  const begun = performance.now();
  const side = await startLeasehold(lan, root, LABEL, { readiness: 'socket' });
  const limits = { deadlineMs: TAKE_UP_LIMIT_MS, everyMs: ASK_EVERY_MS };
  await waitFor('the daemon to be ready', () => isReady(side.socket), limits);
  const readyMs = performance.now() - begun;
  const { quietMs, cpuMs } = await untilQuiet(side.daemon.pid, begun);
  const host = await readHost(side.socket);
  if (host.attachments !== attachments)
    throw new Error(`${host.attachments} of ${attachments} pods are known`);
  return { side, start: { readyMs, quietMs, cpuMs, repairs: host.repairs } };
}

/** Many pods of the plugin type `leasehold`: what the daemon takes of the machine, at rest and at a start. */
export async function measureHostSide(home: BenchHome, plan: Plan): Promise<HostSideFootprint> {
  const { lan, pods } = home;
  const { root } = home.programs;
  const bench = await home.kea();
  const { leases, rounds } = plan.restart;
  let side = await startLeasehold(lan, root, LABEL);
  const jobs = jobsFor(pods, LABEL, leases);
  const added = await attach(bench, await withHostSide(lan, side), jobs, AT_ONCE);
  await pause(SETTLED_MS);
  const state = await processState(side.daemon.pid);
  const end = await watchActivity(side.daemon.pid);
  await pause(plan.idleSeconds * 1000);
  const idle = await end();
  const starts: HostSideStart[] = [];
  while (starts.length < rounds) {
    await kill(side.daemon);
    const again = await startOnce(lan, root, added.pairs.size);
    ({ side } = again);
    starts.push(again.start);
  }
  const gone = await detach(bench, await withHostSide(lan, side), jobs, {
    atOnce: AT_ONCE,
    pairs: added.pairs,
  });
  await stopProcess(side.daemon);
  const failures = [...added.failures, ...gone.failures];
  return { attachments: added.pairs.size, state, idle, seconds: plan.idleSeconds, starts, failures };
}
