import { type Goal, LEAST, MOST } from './goal.ts';
import { figure, markdownTable, times } from './markdown.ts';
import {
  RENEWAL_LEASE,
  renewalShare,
  type Renewals,
  type RenewalSize,
  type RenewalWindow,
} from './measure-renewals.ts';
import type { SectionReport } from './section-report.ts';
import { median, sum } from './statistics.ts';

/** Renewals, against the Go daemon in the same run. */
export function renewalGoals({ sizes, kept }: Renewals): readonly Goal[] {
  const shares = sizes.map((size): Goal => ({
    what: `A renewal's CPU with ${size.leases} leases, of Go's`,
    unit: '',
    bound: MOST,
    wanted: 0.25,
    aim: 0.15,
    measured: renewalShare(size),
  }));
  const { leases, inForce } = kept.leasehold;
  return [
    ...shares,
    {
      what: `${leases} leases: kept through kill -9 and a restart`,
      unit: '',
      bound: LEAST,
      wanted: leases,
      measured: inForce,
    },
  ];
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
      times(ours.cpuMsEach, theirs?.cpuMsEach ?? Number.NaN),
      `${figure(ours.rssMb)} / ${figure(theirs?.rssMb ?? Number.NaN)}`,
    ];
  });
  const all = [
    `${leases}, median`,
    `${total(leasehold.windows)} / ${total(go.windows)}`,
    middle(leasehold.windows),
    middle(go.windows),
    times(renewalShare({ leasehold, go }), 1),
    '',
  ];
  return [...rows, all];
}

/** Each pair, and for each number of leases the medians. */
export function renewalTable({ sizes }: Renewals): string {
  const head = ['Leases', 'renewals', 'Leasehold CPU ms each', 'Go CPU ms each', 'Leasehold / Go', 'RSS MB'];
  return markdownTable(head, sizes.flatMap(pairRows));
}

/** What became of leases whose daemon was killed. */
export function keptText({ kept }: Renewals): string {
  return `Then each daemon was killed (SIGKILL) with ${kept.leasehold.leases} new leases and started again. A whole lease time later the server had
${kept.leasehold.inForce} of Leasehold's still in force, and ${kept.go.inForce} of the Go daemon's, which remembers nothing.`;
}

export const renewalsReport: SectionReport<Renewals> = {
  goals: renewalGoals,
  failures: ({ sizes, kept }) => {
    const of = (side: 'leasehold' | 'go'): readonly string[] => [
      ...sizes.flatMap((size) => size[side].failures),
      ...kept[side].failures,
    ];
    return { leasehold: of('leasehold'), go: of('go') };
  },
  text: (
    renewals,
    plan,
  ) => `## Renewals (Kea, leases of ${RENEWAL_LEASE.seconds} s with T1 = ${RENEWAL_LEASE.t1} s)

Leasehold, then the Go daemon, each with so many new leases, watched for ${plan.renewals.seconds} s after some that do
not count. Renewals are the ACKs that the server sent; CPU is the daemon's utime and stime, all threads.

${renewalTable(renewals)}

${keptText(renewals)}`,
};
