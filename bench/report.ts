import { type Goal, MOST, verdict } from './goal.ts';
import { noiseText } from './machine.ts';
import { figure, markdownTable } from './markdown.ts';
import { SECTION_NAMES, type Measured, type Results, type SectionName } from './measure.ts';
import type { Plan } from './plan.ts';
import { burstsReport } from './report-bursts.ts';
import { densityReport } from './report-density.ts';
import { disturbanceReport } from './report-disturbance.ts';
import { footprintReport } from './report-footprint.ts';
import { leaseholdReport } from './report-leasehold.ts';
import { rebootReport } from './report-reboot.ts';
import { renewalsReport } from './report-renewals.ts';
import { restartsReport } from './report-restarts.ts';
import { sequenceReport } from './report-sequence.ts';
import { startsReport } from './report-starts.ts';
import { REST_MS } from './settle.ts';
import type { Failures, SectionReport } from './section-report.ts';

const MAX_EXAMPLES = 3;
const MAX_EXAMPLE_CHARS = 300;

const REPORTS: { readonly [Name in SectionName]: SectionReport<Results[Name]> } = {
  starts: startsReport,
  sequence: sequenceReport,
  bursts: burstsReport,
  density: densityReport,
  disturbance: disturbanceReport,
  reboot: rebootReport,
  footprint: footprintReport,
  restarts: restartsReport,
  leasehold: leaseholdReport,
  renewals: renewalsReport,
};

/** What one section has to say, with its kind of result forgotten. */
type Said = { readonly goals: readonly Goal[]; readonly text: string; readonly failures: Failures };

function saidOf<Name extends SectionName>(
  name: Name,
  result: Results[Name] | undefined,
  plan: Plan,
): readonly Said[] {
  if (result === undefined) return [];
  const { goals, text, failures }: SectionReport<Results[Name]> = REPORTS[name];
  const { leasehold, go } = failures(result);
  const named = (all: readonly string[]): readonly string[] => all.map((failure) => `${name}: ${failure}`);
  const failed = { leasehold: named(leasehold), go: named(go) };
  return [{ goals: goals(result), text: text(result, plan), failures: failed }];
}

function machineText({ machine, plan, seconds }: Measured): string {
  const { date, cores, cpu, kernel, memoryGib, loadBefore, node, leasehold, goPlugins, dnsmasq, kea } =
    machine;
  const busy = noiseText(cores, loadBefore);
  return `Measured ${date} UTC by \`make bench\` (${plan.name}, ${seconds.toFixed(0)} s) on ${cores} cores (${cpu}), \
${memoryGib.toFixed(0)} GiB, Linux ${kernel}. The load average before it was ${figure(loadBefore)}.${busy}

Leasehold ${leasehold} on Node ${node}; Go plugins ${goPlugins}; dnsmasq ${dnsmasq}; Kea ${kea}.`;
}

function measuredText(measured: number, unit: string): string {
  if (Number.isNaN(measured)) return '-';
  return Number.isFinite(measured) ? `${figure(measured)}${unit}` : 'never';
}

function goalsTable(goals: readonly Goal[]): string {
  const rows = goals.map((goal) => {
    const unit = goal.unit === '' ? '' : ` ${goal.unit}`;
    return [
      goal.what,
      `${goal.bound} ${goal.wanted}${unit}`,
      goal.aim === undefined ? '' : `${goal.aim}${unit}`,
      measuredText(goal.measured, unit),
      verdict(goal),
    ];
  });
  return markdownTable(['Goal', 'wanted', 'aim', 'measured', 'verdict'], rows);
}

function examples(who: string, failures: readonly string[]): string {
  if (failures.length === 0) return '';
  const lines = [...new Set(failures)]
    .slice(0, MAX_EXAMPLES)
    .map((text) => `  - \`${text.slice(0, MAX_EXAMPLE_CHARS)}\``);
  return `- ${who}: ${failures.length} failed, for example\n${lines.join('\n')}\n`;
}

function failuresText({ leasehold, go }: Failures): string {
  const text = examples('Leasehold', leasehold) + examples('Go plugins', go);
  return text === '' ? 'Nothing failed on either side.\n' : text;
}

function tookText({ took }: Measured): string {
  return took.map(({ section, seconds }) => `${section} ${seconds.toFixed(0)}`).join(', ');
}

/** The whole of docs/benchmarks.md. Every number in it was measured in this run. */
export function report(measured: Measured): string {
  const said = SECTION_NAMES.flatMap((name) => saidOf(name, measured.results[name], measured.plan));
  const failures = {
    leasehold: said.flatMap((section) => section.failures.leasehold),
    go: said.flatMap((section) => section.failures.go),
  };
  const failed: Goal = {
    what: 'Failed ADDs and DELs, all sections',
    unit: '',
    bound: MOST,
    wanted: 0,
    measured: failures.leasehold.length,
  };
  return `# Benchmarks

${machineText(measured)}

Leasehold is the installed program, as nodes run it. Both daemons run side by side in one node of a home LAN made of network namespaces, and serve the same containers'
namespaces in turn, with the same configuration (macvlan with DHCP) and the same DHCP server, where a section does not say otherwise. A small C program starts
the plugins of both; times are from just before the start to the end of the process. An ADD counts as done when its
container has an address that the server leased to its MAC address, a DEL when the link is gone; anything else is
counted as failed, and its time is in none of the numbers. Two values are Leasehold's / the Go plugins'. A ratio between two
sides is the median of the ratios of rounds that followed each other; between two blocks nothing is asked of anybody for ${REST_MS / 1000} s, so that what one daemon has
put off is not done in the other's time.

## Goals

${goalsTable([...said.flatMap(({ goals }) => goals), failed])}

${said.map(({ text }) => text).join('\n\n')}

## What failed

${failuresText(failures)}
## Where the time of this run went

Seconds for each section, with what it has to make first: ${tookText(measured)}. \`make bench BENCH_ARGS="--only NAME"\` runs one alone.
`;
}
