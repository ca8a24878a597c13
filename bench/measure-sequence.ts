import { attach, detach } from './batch.ts';
import type { BenchHome } from './home.ts';
import { jobsFor } from './jobs.ts';
import type { Plan } from './plan.ts';
import { startSides, type Trio } from './sides.ts';

/** ADDs and DELs one after another. */
export type Sequence = {
  readonly rounds: readonly { readonly addMs: readonly number[]; readonly delMs: readonly number[] }[];
  readonly failures: readonly string[];
  /** Leases that the server still had after the DELs. */
  readonly leftAtServer: number;
};

const NOTHING: Sequence = { rounds: [], failures: [], leftAtServer: 0 };

/** Blocks of one side, the same with the node's part, and the other in turn, in the same namespaces. */
export async function measureSequence(home: BenchHome, { sequence: plan }: Plan): Promise<Trio<Sequence>> {
  const { lan, pods, programs } = home;
  const bench = await home.dnsmasq();
  const sides = await startSides(lan, programs, 'sequence');
  const block = async (name: keyof Trio<unknown>, round: number, before: Sequence): Promise<Sequence> => {
    const jobs = jobsFor(pods, `sequence-${round}-${name}`, plan.perRound);
    const added = await attach(bench, sides[name], jobs, 1);
    const gone = await detach(bench, sides[name], jobs, { atOnce: 1, pairs: added.pairs });
    return {
      rounds: [...before.rounds, { addMs: added.timesMs, delMs: gone.timesMs }],
      failures: [...before.failures, ...added.failures, ...gone.failures],
      leftAtServer: before.leftAtServer + gone.leftAtServer,
    };
  };
  // One block of each that does not count: code is read from disk, and the JavaScript engine compiles.
  await block('leasehold', -1, NOTHING);
  await block('hostSide', -1, NOTHING);
  await block('go', -1, NOTHING);
  let [leasehold, hostSide, go] = [NOTHING, NOTHING, NOTHING];
  for (let round = 0; round < plan.rounds; round++) {
    leasehold = await block('leasehold', round, leasehold);
    hostSide = await block('hostSide', round, hostSide);
    go = await block('go', round, go);
  }
  await sides.stop();
  return { leasehold, hostSide, go };
}
