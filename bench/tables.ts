import type { Batch } from './batch.ts';
import { figure, markdownTable, times } from './markdown.ts';
import type { Measured } from './measure.ts';
import type { Burst } from './measure-bursts.ts';
import { largest, median, percentile, sum } from './statistics.ts';

const PERCENTILES = [50, 95, 99];
const SIDES_HEAD = ['Leasehold', 'Go plugins', 'Go / Leasehold'];

export function sequenceTable({ sequence: { leasehold, go } }: Measured): string {
  const rows = (['addMs', 'delMs'] as const).flatMap((which) =>
    PERCENTILES.map((percent) => {
      const [ours, theirs] = [percentile(leasehold[which], percent), percentile(go[which], percent)];
      const what = `${which === 'addMs' ? 'ADD' : 'DEL'} p${percent}, ms`;
      return [what, figure(ours), figure(theirs), times(theirs, ours)];
    }),
  );
  return markdownTable(
    ['One after another', ...SIDES_HEAD],
    [
      ...rows,
      ['failed', String(leasehold.failures.length), String(go.failures.length), ''],
      ['leases left at the server', String(leasehold.leftAtServer), String(go.leftAtServer), ''],
    ],
  );
}

/** Medians of the rounds; the slowest is that of all rounds. */
function batchCells(batches: readonly Batch[]): {
  readonly rate: number;
  readonly typical: number;
  readonly slowest: number;
  readonly failed: number;
  readonly cpu: number;
} {
  return {
    rate: median(batches.map(({ perSecond }) => perSecond)),
    typical: median(batches.map(({ timesMs }) => percentile(timesMs, 50))),
    slowest: largest(batches.map(({ slowestMs }) => slowestMs)),
    failed: sum(batches.map(({ failures }) => failures.length)),
    cpu: median(batches.map(({ cpuMsEach }) => cpuMsEach)),
  };
}

export function burstTable({ bursts }: Measured, verb: 'adds' | 'dels'): string {
  const name = verb === 'adds' ? 'ADD' : 'DEL';
  const rows = bursts.map(({ size, leasehold, go }) => {
    const [ours, theirs] = [batchCells(leasehold[verb]), batchCells(go[verb])];
    const cells = (key: keyof typeof ours): string => both(ours[key], theirs[key]);
    return [
      String(size),
      cells('rate'),
      times(ours.rate, theirs.rate),
      cells('typical'),
      cells('slowest'),
      cells('cpu'),
      `${ours.failed} / ${theirs.failed}`,
    ];
  });
  const head = [
    `${name}s at once`,
    'per second',
    'ratio',
    'p50 ms',
    'slowest ms',
    `daemon CPU ms per ${name}`,
    'failed',
  ];
  return markdownTable(head, rows);
}

/** Leases that the server still had after the DELs of all bursts. */
export function leftAfter(burst: readonly Burst[]): number {
  return sum(burst.flatMap(({ dels }) => dels.map(({ leftAtServer }) => leftAtServer)));
}

function both(ours: number, theirs: number | undefined): string {
  return `${figure(ours)} / ${figure(theirs ?? Number.NaN)}`;
}

export function footprintTable({ footprint: { leasehold, go } }: Measured): string {
  const rows = leasehold.states.map(({ leases, state }, at) => {
    const other = go.states[at]?.state;
    return [
      leases.toLocaleString('en'),
      `${state.threads} / ${other?.threads ?? '-'}`,
      `${state.fds} / ${other?.fds ?? '-'}`,
      both(state.rssMb, other?.rssMb),
      both(state.anonMb, other?.anonMb),
    ];
  });
  return markdownTable(['Leases', 'threads', 'fds', 'RSS MB', 'of it anonymous MB'], rows);
}

export function startsTable({ starts }: Measured): string {
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

export function loopTable({ loop, plan }: Measured): string {
  const rows = (['adds', 'dels'] as const).map((which) => [
    `${plan.loopBurst} ${which === 'adds' ? 'ADDs' : 'DELs'} at once`,
    figure(loop[which].maxMs),
    figure(loop[which].p99Ms),
    String(loop[which].turns),
  ]);
  return markdownTable(['Event loop', 'longest gap ms', 'p99 ms', 'turns'], rows);
}
