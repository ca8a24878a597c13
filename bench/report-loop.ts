import { type Goal, MOST } from './goal.ts';
import { figure, markdownTable } from './markdown.ts';
import type { BothLoopDelays } from './measure-loop.ts';
import { NO_FAILURES, type SectionReport } from './section-report.ts';

function goals(loop: BothLoopDelays): readonly Goal[] {
  return [
    {
      what: 'Event loop: longest gap during 250 DELs',
      unit: 'ms',
      bound: MOST,
      wanted: 5,
      measured: loop.dels.maxMs,
    },
  ];
}

function loopTable(loop: BothLoopDelays, burst: number): string {
  const rows = (['adds', 'dels'] as const).flatMap((verb) =>
    (
      [
        ['macvlan, dhcp', loop],
        ['type leasehold', loop.hostSide],
      ] as const
    ).map(([what, seen]) => [
      `${burst} ${verb === 'adds' ? 'ADDs' : 'DELs'} at once, ${what}`,
      figure(seen[verb].maxMs),
      figure(seen[verb].p99Ms),
      String(seen[verb].turns),
    ]),
  );
  return markdownTable(['Event loop', 'longest gap ms', 'p99 ms', 'turns'], rows);
}

export const loopReport: SectionReport<BothLoopDelays> = {
  goals,
  failures: (loop) => ({ ...NO_FAILURES, leasehold: [...loop.failures, ...loop.hostSide.failures] }),
  text: (loop, plan) => `## The daemon's event loop

A daemon of its own with a probe inside (Node's monitorEventLoopDelay, 1 ms of which is the probe's timer). The gaps
contain the time in which the ${plan.loopBurst} plugins at once leave the daemon no processor.

${loopTable(loop, plan.loopBurst)}`,
};
