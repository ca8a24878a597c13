import { figure, markdownTable, times } from './markdown.ts';
import type { Reboot, RebootSize } from './measure-reboot.ts';
import type { SectionReport } from './section-report.ts';
import type { Pair } from './sides.ts';
import { median, medianRatio, percentile, sum } from './statistics.ts';

const ROWS: readonly (readonly [string, (reboot: Reboot) => number])[] = [
  ['all attached, ms', ({ podsMs }) => podsMs],
  ["... from the daemon's own start, ms", ({ daemonMs }) => daemonMs],
  ['ADD p50, ms', ({ timesMs }) => percentile(timesMs, 50)],
  ['leases of the old pods that the server still had then', ({ oldLeases }) => oldLeases],
  ["the daemon's CPU, its start included, ms", ({ cpuMs }) => cpuMs],
];

function failedOf(all: readonly Reboot[]): number {
  return sum(all.map(({ failures }) => failures.length));
}

/** A round in which anything failed counts on neither side: what fails at once would look fast. */
function wholeRounds({ leasehold, go }: RebootSize): Pair<readonly Reboot[]> {
  const isWhole = (round: number): boolean =>
    [leasehold[round], go[round]].every((one) => one !== undefined && one.failures.length === 0);
  return {
    leasehold: leasehold.filter((_, round) => isWhole(round)),
    go: go.filter((_, round) => isWhole(round)),
  };
}

export function rebootTable(sizes: readonly RebootSize[]): string {
  const rows = sizes.flatMap((all) => {
    const { leasehold, go } = wholeRounds(all);
    return [
      ...ROWS.map(([what, of]) => {
        const [ours, theirs] = [leasehold.map(of), go.map(of)];
        const ratio = times(medianRatio(ours, theirs), 1);
        return [`${all.size} pods: ${what}`, figure(median(ours)), figure(median(theirs)), ratio];
      }),
      [`${all.size} pods: failed`, String(failedOf(all.leasehold)), String(failedOf(all.go)), ''],
    ];
  });
  return markdownTable(['After a reboot', 'Leasehold', 'Go plugins', 'Leasehold / Go'], rows);
}

export const rebootReport: SectionReport<readonly RebootSize[]> = {
  goals: () => [],
  failures: (sizes) => ({
    leasehold: sizes.flatMap(({ leasehold }) => leasehold.flatMap(({ failures }) => failures)),
    go: sizes.flatMap(({ go }) => go.flatMap(({ failures }) => failures)),
  }),
  text: (sizes, { reboot }) => `## The pods of a node after its reboot (Kea, leases in memory)

Our type leasehold, and Go's macvlan with dhcp, in turn: ${reboot.map(({ size, rounds }) => `${size} pods ${rounds} times`).join(', ')}. Simulated, as no machine is booted: the node with as many pods is killed with its
daemon (SIGKILL), and its network namespace, links, rules and sysctls and its pods' namespaces are gone; a new namespace with the MAC and IP address of the old one
takes its place, and a daemon is started in it, ours on the state folder of before and with another boot id (a mount over
/proc/sys/kernel/random/boot_id); Go's has no state. The server still has the old pods' leases, which our daemon gives back meanwhile. As soon as the daemon's socket takes connections, as many new pods are attached at once.
*All attached* is from the first plugin's start to the last one's end. What a boot has beside that is not in it: a cold page cache, other services that start, the kubelet and its sandboxes
([profile.md](profile.md#a-whole-sandbox)). Numbers are medians, ratios medians of each round's own; a round in which
anything failed counts on neither side.

${rebootTable(sizes)}`,
};
