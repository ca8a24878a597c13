import * as v from 'valibot';
import { UPLINK } from '../src/lab/host.ts';
import { getOverSocket, type HttpAnswer } from '../src/lab/daemon.ts';
import type { HomeLan } from '../src/lab/home-lan.ts';
import { stopProcess } from '../src/lab/long-process.ts';
import { pause, waitFor } from '../src/lab/wait.ts';
import { attach, detach } from './batch.ts';
import type { BenchHome } from './home.ts';
import { jobsFor } from './jobs.ts';
import type { Plan } from './plan.ts';
import { cpuSeconds, processState, type ProcessState } from './process-state.ts';
import { keaCount } from './server-leases.ts';
import { SETTLED_MS } from './settle.ts';
import { kill, recordsFolder, startLeasehold, type LeaseholdSide } from './sides.ts';
import { multiplyRecords } from './stored-copies.ts';

const AT_ONCE = 20;
const HTTP_OK = 200;
const ASK_EVERY_MS = 5;
const LABEL = 'restart';
/** Packets are counted from the start until this long after the last lease was taken up. */
const WATCH_AFTER_MS = 1000;
const TAKE_UP_LIMIT_MS = 60_000;

/** One start of the daemon on the records that a killed one left. */
export type Restart = {
  /** From the start of the process to 200 from GET /readyz. */
  readonly readyMs: number;
  /** From the start of the process until GET /v1/leases shows every lease bound to its address. */
  readonly takenUpMs: number;
  /** The daemon's processor time from its start until a second after that. */
  readonly cpuMs: number;
  /** DHCP packets that the server heard from the start until a second after the last lease was taken up. */
  readonly heardByServer: number;
  /** Frames of any kind that left the node's uplink in that time: the daemon's and the pods' own. */
  readonly framesOut: number;
  readonly state: ProcessState;
};

export type Restarts = {
  /** Stored leases: of as many pods, or `copies` for each. */
  readonly sizes: readonly {
    readonly leases: number;
    readonly pods: number;
    readonly starts: readonly Restart[];
  }[];
  readonly failures: readonly string[];
  /** Leases that the server still had after the DELs, of which the daemon knew by its records only. */
  readonly leftAtServer: number;
};

type RestartParts = {
  readonly lan: HomeLan;
  readonly root: string;
  readonly control: string;
  readonly rounds: number;
};

const leasesSchema = v.array(v.object({ state: v.string(), address: v.nullable(v.string()) }));
const linkSchema = v.tuple([v.object({ stats64: v.object({ tx: v.object({ packets: v.number() }) }) })]);

/** A daemon that is busy with its leases may not answer in time, or break off: asked again, it will. */
async function ask(socket: string, path: string): Promise<HttpAnswer | undefined> {
  try {
    return await getOverSocket(socket, path);
  } catch {
    return undefined;
  }
}

async function countBound(socket: string): Promise<number> {
  const answer = await ask(socket, '/v1/leases');
  if (answer?.status !== HTTP_OK) return 0;
  const leases = v.parse(leasesSchema, JSON.parse(answer.body));
  return leases.filter(({ state, address }) => state === 'bound' && address !== null).length;
}

/** Frames that the uplink has sent, those of the macvlan interfaces on it included. */
async function framesSent(lan: HomeLan): Promise<number> {
  const text = await lan.node.namespace.ip('-j', '-s', 'link', 'show', 'dev', UPLINK);
  return v.parse(linkSchema, JSON.parse(text))[0].stats64.tx.packets;
}

async function startOnce(
  parts: RestartParts,
  leases: number,
): Promise<{ readonly side: LeaseholdSide; readonly restart: Restart }> {
  const { lan, root, control } = parts;
  const [packets, frames] = [await keaCount(control), await framesSent(lan)];
  const begun = performance.now();
  const side = await startLeasehold(lan, root, LABEL, { readiness: 'socket' });
  await waitFor(
    'the daemon to be ready',
    async () => (await ask(side.socket, '/readyz'))?.status === HTTP_OK,
    {
      deadlineMs: TAKE_UP_LIMIT_MS,
      everyMs: ASK_EVERY_MS,
    },
  );
  const readyMs = performance.now() - begun;
  await waitFor(`${leases} leases to be taken up`, async () => (await countBound(side.socket)) >= leases, {
    deadlineMs: TAKE_UP_LIMIT_MS,
    describe: async () => `${await countBound(side.socket)} are`,
  });
  const takenUpMs = performance.now() - begun;
  const state = await processState(side.daemon.pid);
  await pause(WATCH_AFTER_MS);
  const cpuMs = (await cpuSeconds(side.daemon.pid)) * 1000;
  const heardByServer = (await keaCount(control)).received - packets.received;
  const framesOut = (await framesSent(lan)) - frames;
  return { side, restart: { readyMs, takenUpMs, cpuMs, heardByServer, framesOut, state } };
}

/** Starts and kills; the daemon of the last start is left running. */
async function startOften(
  parts: RestartParts,
  leases: number,
): Promise<{ readonly side: LeaseholdSide; readonly starts: readonly Restart[] }> {
  let { side, restart } = await startOnce(parts, leases);
  const starts = [restart];
  while (starts.length < parts.rounds) {
    await kill(side.daemon);
    ({ side, restart } = await startOnce(parts, leases));
    starts.push(restart);
  }
  return { side, starts };
}

/** Kills a daemon with many leases and starts it again, as often as planned; then with copies of the records. */
export async function measureRestarts(home: BenchHome, { restart: plan }: Plan): Promise<Restarts> {
  const { lan, pods, control } = home;
  const { root } = home.programs;
  const parts = { lan, root, control, rounds: plan.rounds };
  const bench = await home.kea();
  const first = await startLeasehold(lan, root, LABEL);
  const jobs = jobsFor(pods, LABEL, plan.leases);
  const added = await attach(bench, first, jobs, AT_ONCE);
  const held = added.pairs.size;
  await pause(SETTLED_MS);
  await kill(first.daemon);
  const real = await startOften(parts, held);
  await kill(real.side.daemon);
  const many = await multiplyRecords(recordsFolder(lan, LABEL), plan.copies);
  const copied = await startOften(parts, many.count);
  await kill(copied.side.daemon);
  await many.remove();
  const last = await startLeasehold(lan, root, LABEL);
  const gone = await detach(bench, last, jobs, { atOnce: AT_ONCE, pairs: added.pairs });
  await stopProcess(last.daemon);
  return {
    sizes: [
      { leases: held, pods: held, starts: real.starts },
      { leases: many.count, pods: held, starts: copied.starts },
    ],
    failures: [...added.failures, ...gone.failures],
    leftAtServer: gone.leftAtServer,
  };
}
