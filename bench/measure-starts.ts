import type { Driver } from './driver.ts';
import type { Plan } from './plan.ts';
import type { Sides } from './sides.ts';

/** Milliseconds from start to end of a program that is asked for its VERSION. */
export type Starts = {
  /** A static C program that does nothing: the machine's own cost. */
  readonly empty: readonly number[];
  readonly leasehold: readonly number[];
  readonly go: readonly number[];
};

/** VERSION needs no daemon: what remains is exec, the run-time library's start, and a few lines of output. */
export async function measureStarts(
  driver: Driver,
  parts: {
    readonly sides: Sides;
    readonly empty: string;
    readonly plan: Plan['starts'];
    readonly signal: AbortSignal;
  },
): Promise<Starts> {
  const { sides, empty, plan, signal } = parts;
  const jobs = Array.from({ length: plan.perRound }, (_, at) => ({ id: `start-${at}`, netns: '-' }));
  const time = async (plugin: string): Promise<readonly number[]> => {
    const run = { command: 'VERSION', plugin, conf: sides.conf, atOnce: 1, env: {}, signal } as const;
    const done = await driver.run(jobs, run);
    const failed = done.find(({ status }) => status !== 0);
    if (failed !== undefined)
      throw new Error(`${plugin} VERSION: exit status ${failed.status}: ${failed.said}`);
    return done.map(({ startMs, endMs }) => endMs - startMs);
  };
  const times = { empty: [] as number[], leasehold: [] as number[], go: [] as number[] };
  for (let round = 0; round < plan.rounds; round++) {
    times.empty.push(...(await time(empty)));
    times.leasehold.push(...(await time(sides.leasehold.plugin)));
    times.go.push(...(await time(sides.go.plugin)));
  }
  return times;
}
