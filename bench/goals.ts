import { type Goal, LEAST, MOST } from './goal.ts';
import { daemonGoals, renewalGoals, restartGoals } from './goals-daemon.ts';
import type { Measured } from './measure.ts';
import { largest, median, percentile, sum } from './statistics.ts';

const LARGE_BURST = 250;

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

/** Failures of Leasehold's side in every phase: none is allowed. */
function failureGoal(measured: Measured): Goal {
  const { sequence, bursts, loop, footprint, renewals, restarts } = measured;
  const inBursts = bursts.flatMap(({ leasehold }) => [...leasehold.adds, ...leasehold.dels]);
  const failures =
    sequence.leasehold.failures.length +
    sum(inBursts.map((batch) => batch.failures.length)) +
    loop.failures.length +
    footprint.leasehold.failures.length +
    sum(renewals.sizes.map(({ leasehold }) => leasehold.failures.length)) +
    renewals.kept.leasehold.failures.length +
    restarts.failures.length;
  return { what: 'Failed ADDs and DELs, all phases', unit: '', bound: MOST, wanted: 0, measured: failures };
}

export function goalsOf(measured: Measured): readonly Goal[] {
  return [
    ...sequenceGoals(measured),
    ...burstGoals(measured),
    ...daemonGoals(measured),
    ...renewalGoals(measured),
    ...restartGoals(measured),
    failureGoal(measured),
  ];
}
