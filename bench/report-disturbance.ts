import { type Goal, MOST } from './goal.ts';
import { figure, markdownTable } from './markdown.ts';
import type { Disturbance, Disturbed } from './measure-disturbance.ts';
import { RENEWAL_LEASE } from './measure-renewals.ts';
import { NO_FAILURES, type SectionReport } from './section-report.ts';
import { largest, median, percentile, sum } from './statistics.ts';

const KINDS = [
  ['macvlan, dhcp', 'leasehold'],
  ['type leasehold', 'hostSide'],
] as const;
const VERBS = [
  ['ADDs', 'adds'],
  ['DELs', 'dels'],
] as const;

function late(all: readonly Disturbed[]): readonly number[] {
  return all.flatMap(({ lateMs }) => lateMs);
}

/** The latest of all; infinitely late is one that was never sent. */
function latest(all: readonly Disturbed[]): number {
  const never = sum(all.map(({ missing }) => missing)) > 0;
  return never ? Number.POSITIVE_INFINITY : largest(late(all));
}

/** Bounds of "bursts do not disturb what runs". */
const LATEST_MS = 100;
const LONGEST_GAP_MS = 5;

export function disturbanceGoals({ bursts }: Disturbance): readonly Goal[] {
  const all = KINDS.flatMap(([what, kind]) =>
    VERBS.map(([verb, key]) => ({ name: `250 ${verb}, ${what}`, seen: bursts[kind][key] })),
  );
  const goal = { unit: 'ms', bound: MOST } as const;
  return [
    ...all.map(({ name, seen }): Goal => ({
      what: `${name}: latest renewal of another pod`,
      ...goal,
      wanted: LATEST_MS,
      measured: latest(seen),
    })),
    ...all.map(({ name, seen }): Goal => ({
      what: `${name}: longest own gap of the loop`,
      ...goal,
      wanted: LONGEST_GAP_MS,
      measured: largest(seen.map(({ loop }) => loop.maxOwnMs)),
    })),
  ];
}

function row(what: string, all: readonly Disturbed[]): readonly string[] {
  const times = late(all);
  return [
    what,
    figure(median(all.map(({ seconds }) => seconds))),
    String(times.length),
    figure(percentile(times, 50)),
    figure(percentile(times, 99)),
    figure(largest(times)),
    String(sum(all.map(({ missing }) => missing))),
    figure(largest(all.map(({ loop }) => loop.maxMs))),
    figure(largest(all.map(({ loop }) => loop.maxOwnMs))),
    figure(largest(all.map(({ loop }) => loop.p99OwnMs))),
  ];
}

function disturbanceTable({ quiet, bursts }: Disturbance, burst: number): string {
  const rows = KINDS.flatMap(([what, kind]) =>
    VERBS.map(([verb, key]) => row(`${burst} ${verb}, ${what}`, bursts[kind][key])),
  );
  const head = [
    'While',
    'it took s',
    'renewals',
    'late p50 ms',
    'p99 ms',
    'latest ms',
    'never sent',
    'longest gap ms',
    'own part ms',
    'own p99 ms',
  ];
  return markdownTable(head, [row('nothing else', quiet), ...rows]);
}

export const disturbanceReport: SectionReport<Disturbance> = {
  goals: disturbanceGoals,
  failures: ({ failures }) => ({ ...NO_FAILURES, leasehold: failures }),
  text: (
    result,
    { disturbance: { renewing, burst, rounds, quietMs } },
  ) => `## Bursts beside pods that renew (Kea, leases of ${RENEWAL_LEASE.seconds} s with T1 = ${RENEWAL_LEASE.t1} s)

${renewing} pods of type leasehold renew their leases while ${burst} others come and go at once, ${rounds} times by each kind of plugin after one that does
not count; before each round nothing happens for ${quietMs / 1000} s. They came in groups over one T1, so that at any moment some are due. T1 of each pod is read from the daemon's record right before (random fuzz included);
a renewal that is due between the first start of a burst's plugins and their last end (*it took*, median of the rounds) is late by the time until its REQUEST is on the
router's bridge, by the kernel's stamps in a capture (frames that it missed: ${result.dropped}). The clocks are compared to a millisecond.

The daemon carries a probe: a timer of 1 ms in its event loop (which is 1 ms of each gap). A gap's own part is what is left without the time in which the main thread
could run and had no processor (its schedstat). The longest are those of all rounds. For comparison, a program that
does nothing but read the clock had a longest gap of ${figure(result.jitter.longestMs)} ms, its own part ${figure(result.jitter.ownMs)} ms, before the daemon was started.

${disturbanceTable(result, burst)}`,
};
