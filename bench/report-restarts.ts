import { type Goal, MOST } from './goal.ts';
import { figure, markdownTable } from './markdown.ts';
import type { Restart, Restarts } from './measure-restart.ts';
import { NO_FAILURES, type SectionReport } from './section-report.ts';
import { largest } from './statistics.ts';

/** In which a thousand leases are to be taken up. */
const SECOND_MS = 1000;
/** "Far below" a packet for each lease. */
const FEW_PACKETS_SHARE = 0.05;

/** What a start finds and does, with as many leases as pods. */
export function restartGoals(restarts: Restarts): readonly Goal[] {
  const [real] = restarts.sizes;
  if (real === undefined) return [];
  const { leases, starts } = real;
  const count = leases.toLocaleString('en');
  return [
    {
      what: `Restart, ${count} leases: all taken up, slowest`,
      unit: 'ms',
      bound: MOST,
      wanted: SECOND_MS,
      measured: largest(starts.map(({ takenUpMs }) => takenUpMs)),
    },
    {
      what: `Restart, ${count} leases: packets to the server`,
      unit: '',
      bound: MOST,
      wanted: leases * FEW_PACKETS_SHARE,
      measured: largest(starts.map(({ heardByServer }) => heardByServer)),
    },
    {
      what: 'Leases left at the server by DELs after restarts',
      unit: '',
      bound: MOST,
      wanted: 0,
      measured: restarts.leftAtServer,
    },
  ];
}

/** How the larger number of leases came about. */
function restartText({ sizes }: Restarts, copies: number): string {
  const [real, copied] = sizes.map(({ leases }) => leases.toLocaleString('en'));
  return `${real ?? '-'} leases are those of as many pods
with real namespaces and interfaces. ${copied ?? '-'} are those records ${copies} times, as of ${copies} networks: not simulated, each is
looked at in the kernel, but ${copies} of them name the same interface.`;
}

function worst(starts: readonly Restart[], of: (start: Restart) => number): string {
  return figure(largest(starts.map(of)));
}

export function restartTable({ sizes }: Restarts): string {
  const rows = sizes.map(({ leases, starts }) => [
    leases.toLocaleString('en'),
    worst(starts, ({ readyMs }) => readyMs),
    worst(starts, ({ takenUpMs }) => takenUpMs),
    worst(starts, ({ cpuMs }) => cpuMs),
    worst(starts, ({ heardByServer }) => heardByServer),
    worst(starts, ({ framesOut }) => framesOut),
    worst(starts, ({ state }) => state.rssMb),
    worst(starts, ({ state }) => state.threads),
    worst(starts, ({ state }) => state.fds),
  ]);
  const head = [
    'Leases',
    'ready ms',
    'all taken up ms',
    'CPU ms',
    'packets to the server',
    'frames out of the node',
    'RSS MB',
    'threads',
    'fds',
  ];
  return markdownTable(head, rows);
}

export const restartsReport: SectionReport<Restarts> = {
  goals: restartGoals,
  failures: ({ failures }) => ({ ...NO_FAILURES, leasehold: failures }),
  text: (restarts, { restart: { rounds, copies } }) => `## Restarts

The daemon is killed (SIGKILL) and started again on its records; worst of ${rounds} starts. ${restartText(restarts, copies)}
The Go daemon has no records: after a restart it knows 0 leases.

${restartTable(restarts)}`,
};
