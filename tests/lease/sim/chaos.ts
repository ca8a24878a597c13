import type { TestContext } from 'node:test';
import { FAULTS, type Fault } from './faults.ts';
import { MINUTE_MS, Sim } from './sim.ts';

export type Chaos = {
  readonly seed: number;
  readonly pods: number;
  /** Virtual time in all. */
  readonly lastsMs: number;
  /** Of a fault, at most. */
  readonly longestFaultMs: number;
  readonly longestCalmMs: number;
  readonly leaseSecs: number;
  readonly lookEveryMs?: number;
  /** How often a daemon is one that looks after its pods. */
  readonly rounds?: number;
};

const CHECKS = ['off', 'background', 'before'] as const;
/** Long enough for all that is waited for, so that the checks of a calm network apply in every calm. */
const SHORTEST_CALM_MS = 5 * MINUTE_MS;
const MOST_AT_ONCE = 3;

/** One seed: faults at random, several at once, and calm between them, and in the end all is given back. */
export async function runChaos(t: TestContext, options: Chaos): Promise<Sim> {
  const { seed, pods, lastsMs, longestFaultMs, longestCalmMs } = options;
  const sim = new Sim({
    seed,
    ...(options.lookEveryMs === undefined ? {} : { lookEveryMs: options.lookEveryMs }),
  });
  const { random, time } = sim;
  const done: string[] = [];
  try {
    sim.server.leaseSecs = options.leaseSecs;
    sim.node.looksAfterPods = random.chance(options.rounds ?? 1);
    await sim.start();
    for (let i = 0; i < pods; i++) {
      const servers = random.chance(0.3) ? [sim.server.ip] : [];
      sim.node.add({ conflictCheck: CHECKS[i % CHECKS.length] ?? 'off', servers });
      await sim.run(20);
    }
    await sim.run(MINUTE_MS);
    const until = time.now() + lastsMs;
    while (time.now() < until) {
      await oneStorm(sim, longestFaultMs, done);
      sim.node.forgetGone((attachment) => {
        const forgotten = time.now() - attachment.since > longestFaultMs + 24 * 60 * MINUTE_MS;
        if (forgotten) sim.checks.forget(attachment);
        return forgotten;
      });
      await sim.run(random.between(SHORTEST_CALM_MS, longestCalmMs));
      sim.node.looksAfterPods = random.chance(options.rounds ?? 1);
    }
    await sim.finish();
  } catch (error) {
    t.diagnostic(`SEED=${seed} fails after: ${done.slice(-12).join('; ')}`);
    throw error;
  }
  t.diagnostic(
    `SEED=${seed}: ${done.length} faults, ${time.fired} timers; most messages in 1, 10, 60 s: ` +
      `${sim.checks.inAll.most.join(', ')} in all, ${sim.checks.mostPerLease.join(', ')} of one lease`,
  );
  return sim;
}

async function oneStorm(sim: Sim, longestMs: number, done: string[]): Promise<void> {
  const { random, time } = sim;
  const ends: (() => Promise<void> | void)[] = [];
  const chosen = new Set<Fault>();
  const usable = FAULTS.filter(({ needsRounds }) => needsRounds !== true || sim.node.looksAfterPods);
  const count = 1 + random.below(MOST_AT_ONCE);
  for (let i = 0; i < count; i++) chosen.add(random.pick(usable));
  sim.disturb();
  for (const fault of chosen) {
    if (fault.name.startsWith('daemon') && sim.node.manager === undefined) continue;
    done.push(`${fault.name} at ${Math.round(time.now())}`);
    ends.push(await fault.begin(sim));
    const [least, most] = fault.lasts;
    await sim.run(Math.min(random.between(least, most) * random.next(), longestMs));
  }
  for (const end of random.chance(0.5) ? ends : ends.toReversed()) {
    await end();
    await sim.run(random.between(0, 5000));
  }
  sim.calm();
}
