import { figure, markdownTable, times } from './markdown.ts';
import type { Measured } from './measure.ts';
import { renewalShare, type RenewalSize, type RenewalWindow } from './measure-renewals.ts';
import type { Restart } from './measure-restart.ts';
import { largest, median, sum } from './statistics.ts';

/** Daemons that nobody asks for anything: Leasehold's / the Go daemon's. */
export function idleTable({ footprint: { leasehold, go } }: Measured): string {
  const rows = leasehold.idle.map(({ leases, seconds, activity }, at) => {
    const other = go.idle[at]?.activity;
    const both = (ours: number, theirs: number | undefined): string =>
      `${figure(ours / seconds)} / ${figure((theirs ?? Number.NaN) / seconds)}`;
    return [
      leases.toLocaleString('en'),
      both(activity.mainWakeUps, other?.mainWakeUps),
      both(activity.wakeUps, other?.wakeUps),
      both(activity.cpuMs, other?.cpuMs),
    ];
  });
  const head = ['Leases', 'wake-ups of the main thread per s', 'of all threads per s', 'CPU ms per s'];
  return markdownTable(head, rows);
}

function middle(windows: readonly RenewalWindow[]): string {
  return figure(median(windows.map(({ cpuMsEach }) => cpuMsEach)));
}

function total(windows: readonly RenewalWindow[]): number {
  return sum(windows.map(({ renewals }) => renewals));
}

function pairRows({ leases, leasehold, go }: RenewalSize): readonly (readonly string[])[] {
  const rows = leasehold.windows.map((ours, pair) => {
    const theirs = go.windows[pair];
    return [
      `${leases}, pair ${pair + 1}`,
      `${ours.renewals} / ${theirs?.renewals ?? '-'}`,
      figure(ours.cpuMsEach),
      figure(theirs?.cpuMsEach ?? Number.NaN),
      times(theirs?.cpuMsEach ?? Number.NaN, ours.cpuMsEach),
      `${figure(ours.rssMb)} / ${figure(theirs?.rssMb ?? Number.NaN)}`,
    ];
  });
  const all = [
    `${leases}, median`,
    `${total(leasehold.windows)} / ${total(go.windows)}`,
    middle(leasehold.windows),
    middle(go.windows),
    times(1, renewalShare({ leasehold, go })),
    '',
  ];
  return [...rows, all];
}

/** Each pair, and for each number of leases the medians. */
export function renewalTable({ renewals: { sizes } }: Measured): string {
  const head = ['Leases', 'renewals', 'Leasehold CPU ms each', 'Go CPU ms each', 'Go / Leasehold', 'RSS MB'];
  return markdownTable(head, sizes.flatMap(pairRows));
}

/** What became of leases whose daemon was killed. */
export function keptText({ renewals: { kept } }: Measured): string {
  return `Then each daemon was killed (SIGKILL) with ${kept.leasehold.leases} new leases and started again. A whole lease time later the server had
${kept.leasehold.inForce} of Leasehold's still in force, and ${kept.go.inForce} of the Go daemon's, which remembers nothing.`;
}

/** How the larger number of leases came about. */
export function restartText({ restarts, plan }: Measured): string {
  const [real, copied] = restarts.sizes.map(({ leases }) => leases.toLocaleString('en'));
  return `${real ?? '-'} leases are those of as many pods
with real namespaces and interfaces. ${copied ?? '-'} are those records ${plan.restart.copies} times, as of ${plan.restart.copies} networks: not simulated, each is
looked at in the kernel, but ${plan.restart.copies} of them name the same interface.`;
}

function worst(starts: readonly Restart[], of: (start: Restart) => number): string {
  return figure(largest(starts.map(of)));
}

export function restartTable({ restarts }: Measured): string {
  const rows = restarts.sizes.map(({ leases, starts }) => [
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
