import type { Mac } from '../src/base/mac.ts';
import { pause } from '../src/lab/wait.ts';
import { attach, detach } from './batch.ts';
import { captureDhcp, serverTimes } from './capture.ts';
import { measureEmpty, measureKernel, type KernelTimes } from './floor.ts';
import type { BenchHome } from './home.ts';
import { jobsFor } from './jobs.ts';
import type { Plan } from './plan.ts';
import { macOfPair } from './server-leases.ts';
import { REST_MS } from './settle.ts';
import { startSides, type Trio } from './sides.ts';

export type SequenceRound = {
  readonly addMs: readonly number[];
  readonly delMs: readonly number[];
  /** What the DHCP server took of each ADD, by the capture: DISCOVER in to OFFER out, REQUEST in to ACK out. */
  readonly serverMs: readonly number[];
};

/** ADDs and DELs one after another. */
export type Sequence = {
  readonly rounds: readonly SequenceRound[];
  readonly failures: readonly string[];
  /** Leases that the server still had after the DELs. */
  readonly leftAtServer: number;
};

/** What no plugin can do without, measured in each round. */
export type FloorRound = { readonly emptyMs: readonly number[]; readonly kernel: readonly KernelTimes[] };

export type Sequences = Trio<Sequence> & {
  readonly floor: readonly FloorRound[];
  /** Frames that the capture missed. */
  readonly dropped: number;
};

/** A round as it is before the capture has ended. */
type Block = Omit<SequenceRound, 'serverMs'> & {
  readonly macs: readonly Mac[];
  readonly failures: readonly string[];
  readonly leftAtServer: number;
};

function sequenceOf(blocks: readonly Block[], served: ReadonlyMap<Mac, number>): Sequence {
  let leftAtServer = 0;
  for (const block of blocks) leftAtServer += block.leftAtServer;
  return {
    rounds: blocks.map(({ addMs, delMs, macs }) => ({
      addMs,
      delMs,
      serverMs: macs.flatMap((mac) => served.get(mac) ?? []),
    })),
    failures: blocks.flatMap(({ failures }) => failures),
    leftAtServer,
  };
}

/** Blocks of one side, the same with the node's part, and the other in turn, in the same namespaces; the floor with each. */
export async function measureSequence(home: BenchHome, { sequence: plan }: Plan): Promise<Sequences> {
  const { lan, pods, programs } = home;
  const bench = await home.dnsmasq();
  const sides = await startSides(lan, programs, 'sequence');
  const block = async (name: keyof Trio<unknown>, round: number): Promise<Block> => {
    const jobs = jobsFor(pods, `sequence-${round}-${name}`, plan.perRound);
    const added = await attach(bench, sides[name], jobs, 1);
    const gone = await detach(bench, sides[name], jobs, { atOnce: 1, pairs: added.pairs });
    await pause(REST_MS);
    return {
      addMs: added.timesMs,
      delMs: gone.timesMs,
      macs: [...added.pairs].map(macOfPair),
      failures: [...added.failures, ...gone.failures],
      leftAtServer: gone.leftAtServer,
    };
  };
  // One block of each that does not count: code is read from disk, and the JavaScript engine compiles.
  for (const name of ['leasehold', 'hostSide', 'go'] as const) await block(name, -1);
  const blocks = { leasehold: [] as Block[], hostSide: [] as Block[], go: [] as Block[] };
  const floor: FloorRound[] = [];
  const endCapture = await captureDhcp(lan);
  for (let round = 0; round < plan.rounds; round++) {
    const emptyMs = await measureEmpty(home, plan.perRound);
    floor.push({ emptyMs, kernel: await measureKernel(home, plan.perRound) });
    for (const name of ['leasehold', 'hostSide', 'go'] as const) {
      blocks[name].push(await block(name, round));
    }
  }
  const { seen, dropped } = await endCapture();
  await sides.stop();
  const served = serverTimes(seen);
  return {
    leasehold: sequenceOf(blocks.leasehold, served),
    hostSide: sequenceOf(blocks.hostSide, served),
    go: sequenceOf(blocks.go, served),
    floor,
    dropped,
  };
}
