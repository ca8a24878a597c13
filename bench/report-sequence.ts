import { type Goal, MOST } from './goal.ts';
import { figure, markdownTable, times } from './markdown.ts';
import type { Sequence } from './measure-sequence.ts';
import type { SectionReport } from './section-report.ts';
import type { Trio } from './sides.ts';
import { medianRatio, percentile } from './statistics.ts';

const PERCENTILES = [50, 95, 99];
const VERBS = [
  ['ADD', 'addMs'],
  ['DEL', 'delMs'],
] as const;
type Times = 'addMs' | 'delMs';

function middles({ rounds }: Sequence, key: Times): readonly number[] {
  return rounds.map((round) => percentile(round[key], 50));
}

/** What `a` took of what `b` took. */
function share(a: Sequence, b: Sequence, key: Times): number {
  return medianRatio(middles(a, key), middles(b, key));
}

function goals({ leasehold, hostSide, go }: Trio<Sequence>): readonly Goal[] {
  const ratio = { unit: '', bound: MOST } as const;
  return [
    { what: "ADD p50, of Go's", ...ratio, wanted: 0.22, aim: 0.15, measured: share(leasehold, go, 'addMs') },
    { what: "DEL p50, of Go's", ...ratio, wanted: 0.75, aim: 0.6, measured: share(leasehold, go, 'delMs') },
    {
      what: 'Type leasehold: ADD p50, of our macvlan and dhcp',
      ...ratio,
      wanted: 1.25,
      aim: 1.1,
      measured: share(hostSide, leasehold, 'addMs'),
    },
    {
      what: 'Type leasehold: DEL p50, of our macvlan and dhcp',
      ...ratio,
      wanted: 1.1,
      measured: share(hostSide, leasehold, 'delMs'),
    },
  ];
}

function sequenceTable({ leasehold, hostSide, go }: Trio<Sequence>): string {
  const sides = [leasehold, hostSide, go];
  const rows = VERBS.flatMap(([verb, key]) =>
    PERCENTILES.map((percent) => {
      const cells = sides.map(({ rounds }) =>
        percentile(
          rounds.flatMap((round) => round[key]),
          percent,
        ),
      );
      const [ours = Number.NaN, whole = Number.NaN, theirs = Number.NaN] = cells;
      return [`${verb} p${percent}, ms`, ...cells.map(figure), times(ours, theirs), times(whole, ours)];
    }),
  );
  return markdownTable(
    [
      'One after another',
      'macvlan, dhcp',
      'type leasehold',
      'Go plugins',
      'macvlan, dhcp / Go',
      'leasehold / macvlan, dhcp',
    ],
    [
      ...rows,
      ['failed', ...sides.map(({ failures }) => String(failures.length))],
      ['leases left at the server', ...sides.map(({ leftAtServer }) => String(leftAtServer))],
    ],
  );
}

export const sequenceReport: SectionReport<Trio<Sequence>> = {
  goals,
  failures: ({ leasehold, hostSide, go }) => ({
    leasehold: [...leasehold.failures, ...hostSide.failures],
    go: go.failures,
  }),
  text: (sequence, { sequence: { rounds, perRound } }) => `## One after another (dnsmasq, no ping check)

${rounds} rounds of ${perRound} ADDs and DELs of our macvlan with dhcp, of our type leasehold, and of Go's macvlan with dhcp in turn. A DEL is over
when it has returned, and the link was looked for right after that. The ratios of the goals are medians of the rounds' own
(p50 of a round / p50 of the other side in the same round); those of this table are of its numbers.

${sequenceTable(sequence)}`,
};
