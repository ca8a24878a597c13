import { type Goal, MOST } from './goal.ts';
import { figure, markdownTable, times } from './markdown.ts';
import type { FloorRound, Sequence, SequenceRound, Sequences } from './measure-sequence.ts';
import type { SectionReport } from './section-report.ts';
import { median, medianRatio, percentile } from './statistics.ts';

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

/** p50 of each part of the floor in one round, ms. */
type FloorParts = {
  readonly empty: number;
  readonly link: number;
  readonly enter: number;
  readonly address: number;
  readonly server: number;
};

function floorParts({ emptyMs, kernel }: FloorRound, { serverMs }: SequenceRound): FloorParts {
  const of = (key: 'link' | 'enter' | 'address'): number =>
    percentile(
      kernel.map((each) => each[key]),
      50,
    );
  return {
    empty: percentile(emptyMs, 50),
    link: of('link'),
    enter: of('enter'),
    address: of('address'),
    server: percentile(serverMs, 50),
  };
}

/** For each round: the p50 of the ADDs without the p50s of what no plugin can do without. */
export function aboveFloor({ rounds }: Sequence, floor: readonly FloorRound[]): readonly number[] {
  return rounds.flatMap((round, at) => {
    const below = floor[at];
    if (below === undefined) return [];
    const { empty, link, enter, address, server } = floorParts(below, round);
    return [percentile(round.addMs, 50) - empty - link - enter - address - server];
  });
}

function floorTable({ leasehold, hostSide, go, floor }: Sequences): string {
  const sides = [leasehold, hostSide, go];
  const parts = sides.map(({ rounds }) =>
    rounds.flatMap((round, at) => {
      const below = floor[at];
      return below === undefined ? [] : [floorParts(below, round)];
    }),
  );
  const row = (what: string, key: keyof FloorParts): readonly string[] => [
    what,
    ...parts.map((list) => figure(median(list.map((part) => part[key])))),
  ];
  const rows = [
    ['ADD', ...sides.map((side) => figure(median(middles(side, 'addMs'))))],
    row('start and end of an empty static program', 'empty'),
    row('kernel: the macvlan, in its namespace, up', 'link'),
    row('kernel: into the namespace, a netlink socket, back', 'enter'),
    row('kernel: address and default route', 'address'),
    row("the server's own time", 'server'),
    ['above the floor', ...sides.map((side) => figure(median(aboveFloor(side, floor))))],
  ];
  return markdownTable(['p50, ms', 'macvlan, dhcp', 'type leasehold', 'Go plugins'], rows);
}

function goals({ leasehold, hostSide, go, floor }: Sequences): readonly Goal[] {
  const ratio = { unit: '', bound: MOST } as const;
  return [
    { what: "ADD p50, of Go's", ...ratio, wanted: 0.22, aim: 0.15, measured: share(leasehold, go, 'addMs') },
    {
      what: 'ADD p50 above the floor',
      unit: 'ms',
      bound: MOST,
      wanted: 2.5,
      aim: 1.5,
      measured: median(aboveFloor(leasehold, floor)),
    },
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

function sequenceTable({ leasehold, hostSide, go }: Sequences): string {
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

export const sequenceReport: SectionReport<Sequences> = {
  goals,
  failures: ({ leasehold, hostSide, go }) => ({
    leasehold: [...leasehold.failures, ...hostSide.failures],
    go: go.failures,
  }),
  text: (sequence, { sequence: { rounds, perRound } }) => `## One after another (dnsmasq, no ping check)

${rounds} rounds of ${perRound} ADDs and DELs of our macvlan with dhcp, of our type leasehold, and of Go's macvlan with dhcp in turn. A DEL is over
when it has returned, and the link was looked for right after that. The ratios of the goals are medians of the rounds' own
(p50 of a round / p50 of the other side in the same round); those of this table are of its numbers.

${sequenceTable(sequence)}

The floor is measured in the same rounds, right before the ADDs of that round, in the same namespaces. Its parts are
the time from start to end of an empty static C program, started by the same program as the plugins; what the kernel takes for
the interface by the fewest calls (bench/floor.c, raw netlink): one RTM_NEWLINK for the macvlan with its final name, MAC address
and up, the way into its namespace with a netlink socket there (an address cannot be put from outside), and one message with
RTM_NEWADDR and the default route; and the DHCP server's own time for each of these very ADDs, by a capture on the router's bridge: from DISCOVER
in to OFFER out, and from REQUEST in to ACK out. Not in it, and so counted against the plugin: the way of the frames between node and router, sysctls,
announcements, the stored lease. Each number is the median of the rounds' p50s; frames that the capture missed: ${sequence.dropped}.

${floorTable(sequence)}`,
};
