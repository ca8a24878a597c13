import { type Goal, MOST } from './goal.ts';
import { figure, markdownTable } from './markdown.ts';
import type { Footprint } from './measure-footprint.ts';
import type { SectionReport } from './section-report.ts';
import type { Pair } from './sides.ts';

const MANY_LEASES = 1000;

function grown(a: number | undefined, b: number | undefined): number {
  return (a ?? Number.NaN) - (b ?? Number.NaN);
}

function goals({ leasehold: { states } }: Pair<Footprint>): readonly Goal[] {
  const none = states.find(({ leases }) => leases === 0)?.state;
  const many = states.find(({ leases }) => leases === MANY_LEASES)?.state;
  // From some leases to many: what the first one opens is for all of them.
  const some = states.find(({ leases }) => leases > 0)?.state;
  const last = states.at(-1)?.state;
  const count = { unit: '', bound: MOST } as const;
  const megabytes = { unit: 'MB', bound: MOST } as const;
  return [
    { what: 'No lease: RSS', ...megabytes, wanted: 72, aim: 60, measured: none?.rssMb ?? Number.NaN },
    { what: '1,000 leases: RSS', ...megabytes, wanted: 100, measured: many?.rssMb ?? Number.NaN },
    {
      what: '1,000 leases: threads',
      ...count,
      // 25 of libuv (bin/leasehold), 24 of which may wait for deletions, and three of Node.
      wanted: 28,
      measured: many?.threads ?? Number.NaN,
    },
    { what: '1,000 leases: fds', ...count, wanted: 64, measured: many?.fds ?? Number.NaN },
    {
      what: 'Threads: growth from some leases to the most',
      ...count,
      wanted: 0,
      measured: grown(last?.threads, some?.threads),
    },
    {
      what: 'Fds: growth from some leases to the most',
      ...count,
      wanted: 0,
      measured: grown(last?.fds, some?.fds),
    },
  ];
}

function both(ours: number, theirs: number | undefined): string {
  return `${figure(ours)} / ${figure(theirs ?? Number.NaN)}`;
}

function footprintTable({ leasehold, go }: Pair<Footprint>): string {
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

/** Daemons that nobody asks for anything: Leasehold's / the Go daemon's. */
export function idleTable({ leasehold, go }: Pair<Pick<Footprint, 'idle'>>): string {
  const rows = leasehold.idle.map(({ leases, seconds, activity }, at) => {
    const other = go.idle[at]?.activity;
    const each = (ours: number, theirs: number | undefined): string =>
      `${figure(ours / seconds)} / ${figure((theirs ?? Number.NaN) / seconds)}`;
    return [
      leases.toLocaleString('en'),
      each(activity.mainWakeUps, other?.mainWakeUps),
      each(activity.wakeUps, other?.wakeUps),
      each(activity.cpuMs, other?.cpuMs),
    ];
  });
  const head = ['Leases', 'wake-ups of the main thread per s', 'of all threads per s', 'CPU ms per s'];
  return markdownTable(head, rows);
}

export const footprintReport: SectionReport<Pair<Footprint>> = {
  goals,
  failures: ({ leasehold, go }) => ({ leasehold: leasehold.failures, go: go.failures }),
  text: (footprint, plan) => `## What the daemons take of the machine

Fresh daemons, macvlan with dhcp; containers are added 20 at once, and looked at when their addresses have been probed and announced.

${footprintTable(footprint)}

At rest, watched for ${plan.idleSeconds} s. A wake-up is a voluntary context switch; processor time is the scheduler's own count of all threads.

${idleTable(footprint)}`,
};
