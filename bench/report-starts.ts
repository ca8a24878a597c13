import { figure, markdownTable } from './markdown.ts';
import type { Starts } from './measure-starts.ts';
import { NO_FAILURES, type SectionReport } from './section-report.ts';
import { percentile } from './statistics.ts';

function startsTable(starts: Starts): string {
  const rows = (
    [
      ['an empty static C program', starts.empty],
      ["Leasehold's relay, VERSION", starts.leasehold],
      ["Go's macvlan, VERSION", starts.go],
    ] as const
  ).map(([what, list]) => [
    what,
    figure(percentile(list, 50)),
    figure(percentile(list, 95)),
    figure(percentile(list, 50) - percentile(starts.empty, 50)),
  ]);
  return markdownTable(['Start to end', 'p50 ms', 'p95 ms', 'p50 above empty, ms'], rows);
}

export const startsReport: SectionReport<Starts> = {
  goals: () => [],
  failures: () => NO_FAILURES,
  text: (starts, plan) => `## The plugin's own cost

${plan.starts.rounds * plan.starts.perRound} starts of each program, in turn.

${startsTable(starts)}`,
};
