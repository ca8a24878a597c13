import { verdict } from './goal.ts';
import { goalsOf, hostSideFailures } from './goals.ts';
import { noiseText } from './machine.ts';
import { figure, markdownTable } from './markdown.ts';
import type { Measured } from './measure.ts';
import { RENEWAL_LEASE } from './measure-renewals.ts';
import { idleTable, keptText, renewalTable, restartTable, restartText } from './tables-daemon.ts';
import { hostSideDaemonTable, hostSideTable } from './tables-host-side.ts';
import { burstTable, footprintTable, leftAfter, loopTable, sequenceTable, startsTable } from './tables.ts';

const MAX_EXAMPLES = 3;
const MAX_EXAMPLE_CHARS = 300;

function machineText({ machine, plan, seconds }: Measured): string {
  const { date, cores, cpu, kernel, memoryGib, loadBefore, node, leasehold, goPlugins, dnsmasq, kea } =
    machine;
  const busy = noiseText(cores, loadBefore);
  return `Measured ${date} UTC by \`make bench\` (${plan.name}, ${seconds.toFixed(0)} s) on ${cores} cores (${cpu}), \
${memoryGib.toFixed(0)} GiB, Linux ${kernel}. The load average before it was ${figure(loadBefore)}.${busy}

Leasehold ${leasehold} on Node ${node}; Go plugins ${goPlugins}; dnsmasq ${dnsmasq}; Kea ${kea}.`;
}

function goalsTable(measured: Measured): string {
  const rows = goalsOf(measured).map((goal) => {
    const unit = goal.unit === '' ? '' : ` ${goal.unit}`;
    return [
      goal.what,
      `${goal.bound} ${goal.wanted}${unit}`,
      Number.isFinite(goal.measured) ? `${figure(goal.measured)}${unit}` : '-',
      verdict(goal),
    ];
  });
  return markdownTable(['Goal', 'wanted', 'measured', 'verdict'], rows);
}

function examples(who: string, failures: readonly string[]): string {
  if (failures.length === 0) return '';
  const lines = [...new Set(failures)]
    .slice(0, MAX_EXAMPLES)
    .map((text) => `  - \`${text.slice(0, MAX_EXAMPLE_CHARS)}\``);
  return `- ${who}: ${failures.length} failed, for example\n${lines.join('\n')}\n`;
}

function failuresText(measured: Measured): string {
  const { sequence, bursts, loop, footprint, renewals, restarts } = measured;
  const of = (side: 'leasehold' | 'go'): readonly string[] => [
    ...sequence[side].failures,
    ...bursts.flatMap((burst) =>
      [...burst[side].adds, ...burst[side].dels].flatMap((batch) => batch.failures),
    ),
    ...(side === 'leasehold' ? loop.failures : []),
    ...footprint[side].failures,
    ...renewals.sizes.flatMap((size) => size[side].failures),
    ...renewals.kept[side].failures,
    ...(side === 'leasehold' ? [...restarts.failures, ...hostSideFailures(measured)] : []),
  ];
  const text = examples('Leasehold', of('leasehold')) + examples('Go plugins', of('go'));
  return text === '' ? 'Nothing failed on either side.\n' : text;
}

/** The whole of docs/benchmarks.md. Every number in it was measured in this run. */
export function report(measured: Measured): string {
  const { plan, bursts } = measured;
  const { rounds, perRound } = plan.sequence;
  const burstRounds = bursts.map(({ size, leasehold }) => `${size}: ${leasehold.adds.length}`).join(', ');
  const left = `${leftAfter(bursts.map(({ leasehold }) => leasehold))} / ${leftAfter(bursts.map(({ go }) => go))}`;
  return `# Benchmarks

${machineText(measured)}

Both daemons run side by side in one node of a home LAN made of network namespaces, and serve the same containers'
namespaces in turn, with the same configuration (macvlan with DHCP) and the same DHCP server. A small C program starts
the plugins of both; times are from just before the start to the end of the process. An ADD counts as done when its
container has an address that the server leased to its MAC address, a DEL when the link is gone; anything else is
counted as failed, and its time is in none of the numbers. Two values are Leasehold's / the Go plugins'.

## Goals

${goalsTable(measured)}

## One after another (dnsmasq, no ping check)

${rounds} rounds of ${perRound} ADDs and DELs, Leasehold and Go in turn. A DEL is over when it has returned, and the link was looked for
right after that.

${sequenceTable(measured)}

## Many at once (Kea, leases in memory)

Rounds for each size, in turn: ${burstRounds}. Rate, p50 and CPU are medians of the rounds, the slowest is that of all rounds.
Leases that the server still had after the DELs: ${left}.

${burstTable(measured, 'adds')}

${burstTable(measured, 'dels')}

## The plugin type leasehold: what the node's part costs

The same daemon in the same rounds, asked by \`leasehold\`: the pod also gets a route to a service network, the last hop, and a
route and a neighbour on the node's shim. The last two columns are times of its numbers; below, a daemon with many such
pods, at rest for ${plan.idleSeconds} s and killed and started anew (worst of ${plan.restart.rounds}).

${hostSideTable(measured)}

${hostSideDaemonTable(measured)}

## The daemon's event loop

A daemon of its own with a probe inside (Node's monitorEventLoopDelay, 1 ms of which is the probe's timer). The gaps
contain the time in which the ${plan.loopBurst} plugins at once leave the daemon no processor.

${loopTable(measured)}

## What the daemons take of the machine

Fresh daemons; containers are added 20 at once, and looked at when their addresses have been probed and announced.

${footprintTable(measured)}

## Daemons that only wait

Watched for ${plan.idleSeconds} s. A wake-up is a voluntary context switch; processor time is the scheduler's own count of all threads.

${idleTable(measured)}

## Renewals (Kea, leases of ${RENEWAL_LEASE.seconds} s with T1 = ${RENEWAL_LEASE.t1} s)

${plan.renewals.pairs} times Leasehold, then the Go daemon, each with so many new leases, watched for ${plan.renewals.seconds} s after some that do
not count. Renewals are the ACKs that the server sent; CPU is the daemon's utime and stime, all threads.

${renewalTable(measured)}

${keptText(measured)}

## Restarts

The daemon is killed (SIGKILL) and started again on its records; worst of ${plan.restart.rounds} starts. ${restartText(measured)}
The Go daemon has no records: after a restart it knows 0 leases.

${restartTable(measured)}

## The plugin's own cost

${plan.starts.rounds * plan.starts.perRound} starts of each program, in turn.

${startsTable(measured)}

## What failed

${failuresText(measured)}`;
}
