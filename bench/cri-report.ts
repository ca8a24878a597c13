import type { CriRound, CriSizeMeasured } from './cri-measure.ts';
import { SIDES, type SideName } from './cri-sides.ts';
import { verdict, MOST, type Goal } from './goal.ts';
import { noiseText } from './machine.ts';
import { figure, markdownTable } from './markdown.ts';
import { median } from './statistics.ts';

export type CriMachine = {
  readonly date: string;
  readonly seconds: number;
  readonly cores: number;
  readonly loadBefore: number;
  readonly loadAfter: number;
  readonly runtime: string;
  readonly leasehold: string;
  readonly goPlugins: string;
};

type Metric = (round: CriRound) => number;
const BURST = 110;
/** Of the time that the Go plugins take, for a whole node of pods at once. */
const BURST_AIM = 0.7;

/** The median of the rounds. */
function of(measured: CriSizeMeasured, side: SideName, metric: Metric): number {
  return median(measured.rounds.map((round) => metric(round[side])));
}

/** The median of each round's own ratio to the Go plugins: both had the same machine in it. */
function ofGo(measured: CriSizeMeasured, side: SideName, metric: Metric): number {
  return median(measured.rounds.map((round) => metric(round[side]) / metric(round.go)));
}

function table(all: readonly CriSizeMeasured[], metric: Metric): string {
  const head = ['At once', 'no network', 'leasehold', 'macvlan, dhcp', 'Go plugins'];
  const ratios = ['leasehold / Go', 'macvlan, dhcp / Go', 'no network / Go'];
  const rows = all.map((measured) => [
    `${measured.size.atOnce}`,
    ...SIDES.map((side) => figure(of(measured, side, metric))),
    ...(['leasehold', 'dropin', 'nothing'] as const).map((side) => ofGo(measured, side, metric).toFixed(2)),
  ]);
  return markdownTable([...head, ...ratios], rows);
}

function goals(all: readonly CriSizeMeasured[]): readonly Goal[] {
  return all.map((measured) => {
    const { atOnce } = measured.size;
    return {
      what: `RunPodSandbox p50, ${atOnce === 1 ? 'one by one' : `${atOnce} at once`}, of the Go plugins'`,
      unit: '',
      bound: MOST,
      wanted: atOnce === BURST ? BURST_AIM : 1,
      measured: ofGo(measured, 'leasehold', ({ run }) => run.p50),
    };
  });
}

function goalTable(all: readonly CriSizeMeasured[]): string {
  const rows = goals(all).map((goal) => [
    goal.what,
    `${goal.bound} ${goal.wanted}`,
    goal.measured.toFixed(2),
    verdict(goal),
  ]);
  return markdownTable(['Goal', 'wanted', 'measured', 'verdict'], rows);
}

export const CRI_HEADING = '## Whole sandboxes, with containerd';

/** A section of docs/benchmarks.md. Every number in it was measured in this run. */
export function criReport(machine: CriMachine, all: readonly CriSizeMeasured[]): string {
  const rounds = all.map(({ size, rounds: made }) => `${size.atOnce}: ${made.length}`).join(', ');
  return `${CRI_HEADING}

Measured ${machine.date} UTC by \`make bench-cri\` (${machine.seconds.toFixed(0)} s) on ${machine.cores} cores; load average \
${figure(machine.loadBefore)} before and ${figure(machine.loadAfter)} after.${noiseText(machine.cores, machine.loadBefore)} \
${machine.runtime} with runc and overlayfs; \
Leasehold ${machine.leasehold}; Go plugins ${machine.goPlugins}; dnsmasq.

What a kubelet sees: RunPodSandbox and StopPodSandbox of containerd, with a runtime handler for each set of plugins,
in rounds of all of them in turn (${rounds}; one by one, a round is ${all[0]?.size.perRound ?? 0} sandboxes). Numbers are medians of the rounds, ratios the medians
of each round's own. A round in which a sandbox has no lease ends the run. *No network* is a plugin that does nothing and says a fixed result: no
plugin can be faster. containerd also calls \`loopback\` for each sandbox: the Go plugins' is that of a second containerd with their folder of
plugins, all others have Leasehold's, as its install puts it. What a sandbox waits for, and why the ratios are what they are: [profile.md](profile.md#a-whole-sandbox).

${goalTable(all)}

RunPodSandbox, p50 in ms:

${table(all, ({ run }) => run.p50)}

Until all are there, ms:

${table(all, ({ run }) => run.all)}

Processor time of the node for each sandbox until then, ms (containerd, shims, runc, plugins, daemons, sandboxes):

${table(all, ({ run }) => run.cpu)}

StopPodSandbox, p50 in ms:

${table(all, ({ stop }) => stop.p50)}

Processor time of the node for each, ms:

${table(all, ({ stop }) => stop.cpu)}
`;
}
