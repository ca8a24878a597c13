import type { BenchHome } from './home.ts';
import type { Plan } from './plan.ts';
import { startSides } from './sides.ts';

/** Milliseconds from start to end of a program that is asked for its VERSION. */
export type Starts = {
  /** A static C program that does nothing: the machine's own cost. */
  readonly empty: readonly number[];
  readonly leasehold: readonly number[];
  readonly go: readonly number[];
};

/** VERSION needs no daemon: what remains is exec, the run-time library's start, and a few lines of output. */
export async function measureStarts(
  { lan, programs, driver, options, signal }: BenchHome,
  { starts: plan }: Plan,
): Promise<Starts> {
  const sides = await startSides(lan, programs, 'starts');
  const jobs = Array.from({ length: plan.perRound }, (_, at) => ({ id: `start-${at}`, netns: '-' }));
  const time = async (plugin: string): Promise<readonly number[]> => {
    const { node, conf } = sides.leasehold;
    const run = { node, command: 'VERSION', plugin, conf, atOnce: 1, env: {}, signal } as const;
    const { done } = await driver.run(jobs, run);
    const failed = done.find(({ status }) => status !== 0);
    if (failed !== undefined)
      throw new Error(`${plugin} VERSION: exit status ${failed.status}: ${failed.said}`);
    return done.map(({ startMs, endMs }) => endMs - startMs);
  };
  const times = { empty: [] as number[], leasehold: [] as number[], go: [] as number[] };
  for (let round = 0; round < plan.rounds; round++) {
    times.empty.push(...(await time(options.empty)));
    times.leasehold.push(...(await time(sides.leasehold.plugin)));
    times.go.push(...(await time(sides.go.plugin)));
  }
  await sides.stop();
  return times;
}
