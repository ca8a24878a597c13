import type { Batch } from './batch.ts';
import { type Goal, LEAST, MOST } from './goal.ts';
import { figure, markdownTable, times } from './markdown.ts';
import type { Burst, BurstSize } from './measure-bursts.ts';
import { SETTLED_MS } from './settle.ts';
import type { SectionReport } from './section-report.ts';
import { largest, median, medianRatio, percentile, sum } from './statistics.ts';

type Verb = 'adds' | 'dels';
const LARGE_BURST = 250;

function rates(burst: Burst, verb: Verb): readonly number[] {
  return burst[verb].map(({ perSecond }) => perSecond);
}

/** Goals for 250 at once. */
function goals(sizes: readonly BurstSize[]): readonly Goal[] {
  const burst = sizes.find(({ size }) => size === LARGE_BURST);
  if (burst === undefined) return [];
  const { leasehold, hostSide, go } = burst;
  const ratio = { unit: '', bound: LEAST } as const;
  return [
    {
      what: "250 ADDs at once: rate, times Go's",
      ...ratio,
      wanted: 5,
      aim: 8,
      measured: medianRatio(rates(leasehold, 'adds'), rates(go, 'adds')),
    },
    {
      what: '250 ADDs at once: slowest of all rounds',
      unit: 'ms',
      bound: MOST,
      wanted: 1000,
      measured: largest(leasehold.adds.map(({ slowestMs }) => slowestMs)),
    },
    {
      what: '250 ADDs at once: CPU of the daemon for each',
      unit: 'ms',
      bound: MOST,
      wanted: 1.8,
      aim: 1.2,
      measured: median(leasehold.adds.map(({ cpuMsEach }) => cpuMsEach)),
    },
    {
      what: "250 DELs at once: rate, times Go's",
      ...ratio,
      wanted: 2,
      aim: 3,
      measured: medianRatio(rates(leasehold, 'dels'), rates(go, 'dels')),
    },
    {
      what: 'Type leasehold: 250 ADDs at once, rate of our macvlan and dhcp',
      ...ratio,
      wanted: 0.85,
      aim: 0.95,
      measured: medianRatio(rates(hostSide, 'adds'), rates(leasehold, 'adds')),
    },
  ];
}

/** Medians of the rounds; the slowest is that of all rounds. */
function cellsOf(batches: readonly Batch[]): {
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

function burstTable(sizes: readonly BurstSize[], verb: Verb): string {
  const name = verb === 'adds' ? 'ADD' : 'DEL';
  const rows = sizes.map(({ size, leasehold, go }) => {
    const [ours, theirs] = [cellsOf(leasehold[verb]), cellsOf(go[verb])];
    const cells = (key: keyof typeof ours): string => `${figure(ours[key])} / ${figure(theirs[key])}`;
    const ratio = medianRatio(rates(leasehold, verb), rates(go, verb));
    return [
      String(size),
      cells('rate'),
      times(ratio, 1),
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

/** The largest size, with type leasehold beside the others. */
function hostSideTable(sizes: readonly BurstSize[]): string {
  const last = sizes.at(-1);
  if (last === undefined) return '';
  const { size, leasehold, hostSide, go } = last;
  const settled = [leasehold, hostSide, go].map(({ settledCpuMsEach: each = Number.NaN }) => each);
  const [settledOurs = Number.NaN, settledWhole = Number.NaN, settledGo = Number.NaN] = settled;
  const rows = (['adds', 'dels'] as const).flatMap((verb) => {
    const name = verb === 'adds' ? 'ADD' : 'DEL';
    const cells = [leasehold, hostSide, go].map((burst) => cellsOf(burst[verb]));
    const [ours, whole, theirs] = cells;
    const row = (what: string, key: 'rate' | 'cpu'): readonly string[] => [
      what,
      ...cells.map((cell) => figure(cell[key])),
      times(whole?.[key] ?? Number.NaN, ours?.[key] ?? Number.NaN),
      times(whole?.[key] ?? Number.NaN, theirs?.[key] ?? Number.NaN),
    ];
    return [
      row(`${size} ${name}s at once, per second`, 'rate'),
      row(`... daemon CPU, ms per ${name}`, 'cpu'),
      ['... failed', ...cells.map((cell) => String(cell.failed))],
    ];
  });
  const after = [
    `daemon CPU, ms per ADD, with the ${SETTLED_MS / 1000} s after a burst`,
    ...settled.map(figure),
    times(settledWhole, settledOurs),
    times(settledWhole, settledGo),
  ];
  const head = [
    '',
    'macvlan, dhcp',
    'type leasehold',
    'Go plugins',
    'leasehold / macvlan, dhcp',
    'leasehold / Go',
  ];
  return markdownTable(head, [...rows, after]);
}

/** Leases that the server still had after the DELs of all bursts. */
function leftAfter(bursts: readonly Burst[]): number {
  return sum(bursts.flatMap(({ dels }) => dels.map(({ leftAtServer }) => leftAtServer)));
}

function failuresOf(burst: Burst): readonly string[] {
  const timed = [...burst.adds, ...burst.dels].flatMap(({ failures }) => failures);
  return [...timed, ...(burst.settledFailures ?? [])];
}

export const burstsReport: SectionReport<readonly BurstSize[]> = {
  goals,
  failures: (sizes) => ({
    leasehold: sizes.flatMap(({ leasehold, hostSide }) => [
      ...failuresOf(leasehold),
      ...failuresOf(hostSide),
    ]),
    go: sizes.flatMap(({ go }) => failuresOf(go)),
  }),
  text: (sizes) => {
    const counts = sizes.map(({ size, leasehold }) => `${size}: ${leasehold.adds.length}`).join(', ');
    const left = (which: 'leasehold' | 'go'): number => leftAfter(sizes.map((size) => size[which]));
    return `## Many at once (Kea, leases in memory)

Rounds for each size, in turn: ${counts}. Rate, p50 and CPU are medians of the rounds, ratios the medians of each round's own, the slowest
is that of all rounds. A rate counts successes alone. CPU is the daemon's processor time, all threads and the kernel's work for them, from the first
start to the last end. Leases that the server still had after the DELs: ${left('leasehold')} / ${left('go')}.

${burstTable(sizes, 'adds')}

${burstTable(sizes, 'dels')}

With our type leasehold, in the same rounds: the pod also gets a route to a service network, the last hop, and a route and a neighbour on the node's
shim. What a daemon does after the answers (probes, announcements) is in none of these numbers but the last row: a burst of its own, and its pods left
alone until their addresses are probed and announced.

${hostSideTable(sizes)}`;
  },
};
