import { type Goal, MOST } from './goal.ts';
import { figure, markdownTable, times } from './markdown.ts';
import type { Densities, Density, DensityRound } from './measure-density.ts';
import type { SectionReport } from './section-report.ts';
import { median, medianRatio, percentile } from './statistics.ts';

type Cost = 'wall' | 'cpu';

function costs(rounds: readonly DensityRound[], cost: Cost): readonly number[] {
  return rounds.map(({ addMs, cpuMsEach }) => (cost === 'wall' ? percentile(addMs, 50) : cpuMsEach));
}

/** The median over the rounds of what an ADD costs with many pods, of one with few. */
export function densityRatio({ rounds }: Density, cost: Cost): number {
  return medianRatio(costs(rounds.many, cost), costs(rounds.few, cost));
}

function goalsOf({ leasehold }: Densities): readonly Goal[] {
  const goal = { unit: '', bound: MOST, wanted: 1.3, aim: 1.1 } as const;
  return [
    {
      what: 'ADD p50 with many pods on the uplink, of that with few',
      ...goal,
      measured: densityRatio(leasehold, 'wall'),
    },
    {
      what: "... the daemon's CPU for it",
      ...goal,
      measured: densityRatio(leasehold, 'cpu'),
    },
  ];
}

function densityTable({ leasehold, go }: Densities, few: number, many: number): string {
  const rows = (
    [
      ['Leasehold', leasehold],
      ['Go plugins', go],
    ] as const
  ).flatMap(([who, density]) =>
    (['wall', 'cpu'] as const).map((cost) => [
      `${who}: ${cost === 'wall' ? 'ADD p50, ms' : "the daemon's CPU, ms"}`,
      figure(median(costs(density.rounds.few, cost))),
      figure(median(costs(density.rounds.many, cost))),
      times(densityRatio(density, cost), 1),
    ]),
  );
  return markdownTable(['', `${few} pods`, `${many} pods`, 'ratio'], rows);
}

export const densityReport: SectionReport<Densities> = {
  goals: goalsOf,
  failures: ({ leasehold, go }) => ({ leasehold: leasehold.failures, go: go.failures }),
  text: (
    densities,
    { density: { few, many, rounds, perRound } },
  ) => `## One ADD on an uplink with many pods (Kea)

Two nodes with a daemon each, one with ${few} and one with ${many} pods of macvlan with dhcp, whose addresses have been probed and announced; ${rounds} rounds of ${perRound} ADDs one
after another on each in turn, in the same namespaces, and their DELs. First Leasehold has both nodes, then the Go plugins. The ports of the nodes on the
router's bridge are isolated from each other, so that what one node broadcasts is not copied to the pods of the other by the same processors.
Numbers are medians of the rounds, ratios the medians of each round's own. CPU is the daemon's alone: the copies of a broadcast that the kernel makes in a
thread of its own are in the wall time only.

${densityTable(densities, few, many)}`,
};
