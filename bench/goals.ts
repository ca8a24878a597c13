import { figure } from './markdown.ts';
import type { Measured } from './measure.ts';
import { largest, median, percentile, sum } from './statistics.ts';

/** A number that was promised, and what was measured. */
export type Goal = {
  readonly what: string;
  readonly unit: string;
  readonly bound: 'at most' | 'at least';
  readonly wanted: number;
  readonly measured: number;
};

/** "met" or "missed by 12 % (+0.6 ms)"; "not measured" without a number. */
export function verdict({ bound, wanted, measured, unit }: Goal): string {
  if (!Number.isFinite(measured) || !Number.isFinite(wanted)) return 'not measured';
  const over = bound === 'at most' ? measured - wanted : wanted - measured;
  if (over <= 0) return 'met';
  const sign = bound === 'at most' ? '+' : '-';
  const by = `${sign}${figure(over)}${unit === '' ? '' : ` ${unit}`}`;
  return wanted === 0
    ? `**missed** (${by})`
    : `**missed** by ${((over / wanted) * 100).toFixed(0)} % (${by})`;
}

const MOST = 'at most';
const LEAST = 'at least';
const LARGE_BURST = 250;
const MANY_LEASES = 1000;

/** Goals for containers one after another, with dnsmasq. */
function sequenceGoals({ sequence }: Measured): readonly Goal[] {
  const ours = sequence.leasehold;
  const theirs = sequence.go;
  const add = percentile(ours.addMs, 50);
  return [
    {
      what: "ADD p50, of the Go plugins' p50 in this run",
      unit: '',
      bound: MOST,
      wanted: 0.25,
      measured: add / percentile(theirs.addMs, 50),
    },
    { what: 'ADD p50', unit: 'ms', bound: MOST, wanted: 5, measured: add },
    { what: 'ADD p95', unit: 'ms', bound: MOST, wanted: 10, measured: percentile(ours.addMs, 95) },
    { what: 'DEL p50', unit: 'ms', bound: MOST, wanted: 25, measured: percentile(ours.delMs, 50) },
  ];
}

/** Goals for 250 at once, with Kea. */
function burstGoals({ bursts }: Measured): readonly Goal[] {
  const burst = bursts.find(({ size }) => size === LARGE_BURST);
  if (burst === undefined) return [];
  const { leasehold, go } = burst;
  const [addRate, goAddRate] = [leasehold, go].map(({ adds }) =>
    median(adds.map((batch) => batch.perSecond)),
  );
  const [delRate, goDelRate] = [leasehold, go].map(({ dels }) =>
    median(dels.map((batch) => batch.perSecond)),
  );
  const ratio = (addRate ?? Number.NaN) / (goAddRate ?? Number.NaN);
  const slowest = largest(leasehold.adds.map(({ slowestMs }) => slowestMs));
  return [
    {
      what: "250 ADDs at once: rate, times the Go plugins'",
      unit: '',
      bound: LEAST,
      wanted: 5,
      measured: ratio,
    },
    { what: '... and the aim', unit: '', bound: LEAST, wanted: 8, measured: ratio },
    {
      what: '250 ADDs at once: slowest of all rounds',
      unit: 'ms',
      bound: MOST,
      wanted: 1000,
      measured: slowest,
    },
    {
      what: '250 DELs at once: rate',
      unit: 'per s',
      bound: LEAST,
      wanted: 200,
      measured: delRate ?? Number.NaN,
    },
    {
      what: "250 DELs at once: rate, times the Go plugins'",
      unit: '',
      bound: LEAST,
      wanted: 1,
      measured: (delRate ?? Number.NaN) / (goDelRate ?? Number.NaN),
    },
  ];
}

function grown(a: number | undefined, b: number | undefined): number {
  return (a ?? Number.NaN) - (b ?? Number.NaN);
}

/** Goals for the daemon itself. */
function daemonGoals({ loop, footprint }: Measured): readonly Goal[] {
  const states = footprint.leasehold.states;
  const none = states.find(({ leases }) => leases === 0)?.state;
  const many = states.find(({ leases }) => leases === MANY_LEASES)?.state;
  // From some leases to many: what the first one opens is for all of them.
  const some = states.find(({ leases }) => leases > 0)?.state;
  const last = states.at(-1)?.state;
  return [
    {
      what: 'Event loop: longest gap during 250 DELs',
      unit: 'ms',
      bound: MOST,
      wanted: 5,
      measured: loop.dels.maxMs,
    },
    { what: 'No lease: RSS', unit: 'MB', bound: MOST, wanted: 60, measured: none?.rssMb ?? Number.NaN },
    {
      what: '1,000 leases: threads',
      unit: '',
      bound: MOST,
      wanted: 12,
      measured: many?.threads ?? Number.NaN,
    },
    { what: '1,000 leases: fds', unit: '', bound: MOST, wanted: 64, measured: many?.fds ?? Number.NaN },
    { what: '1,000 leases: RSS', unit: 'MB', bound: MOST, wanted: 100, measured: many?.rssMb ?? Number.NaN },
    {
      what: 'Threads: growth from some leases to the most',
      unit: '',
      bound: MOST,
      wanted: 0,
      measured: grown(last?.threads, some?.threads),
    },
    {
      what: 'Fds: growth from some leases to the most',
      unit: '',
      bound: MOST,
      wanted: 0,
      measured: grown(last?.fds, some?.fds),
    },
  ];
}

/** Failures of Leasehold's side in every phase: none is allowed. */
function failureGoal(measured: Measured): Goal {
  const { sequence, bursts, loop, footprint } = measured;
  const inBursts = bursts.flatMap(({ leasehold }) => [...leasehold.adds, ...leasehold.dels]);
  const failures =
    sequence.leasehold.failures.length +
    sum(inBursts.map((batch) => batch.failures.length)) +
    loop.failures.length +
    footprint.leasehold.failures.length;
  return { what: 'Failed ADDs and DELs, all phases', unit: '', bound: MOST, wanted: 0, measured: failures };
}

export function goalsOf(measured: Measured): readonly Goal[] {
  return [
    ...sequenceGoals(measured),
    ...burstGoals(measured),
    ...daemonGoals(measured),
    failureGoal(measured),
  ];
}
