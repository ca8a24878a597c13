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

/** What the plugin type `leasehold` may cost of `macvlan` with `dhcp`. */
const HOST_SIDE_ADD = 1.25;
const HOST_SIDE_DEL = 1.1;
const HOST_SIDE_RATE = 1 / HOST_SIDE_ADD;

/** Type `leasehold` against `macvlan` with `dhcp` of ours, in the same rounds. */
function hostSideGoals({ sequence: { leasehold, hostSide }, bursts }: Measured): readonly Goal[] {
  const large = bursts.find(({ size }) => size === LARGE_BURST);
  const share = (key: 'addMs' | 'delMs'): number =>
    percentile(hostSide[key], 50) / percentile(leasehold[key], 50);
  const rate = (which: 'leasehold' | 'hostSide'): number =>
    median(large?.[which].adds.map(({ perSecond }) => perSecond) ?? []);
  const of = "of macvlan and dhcp's";
  return [
    {
      what: `Type leasehold: ADD p50, ${of}`,
      unit: '',
      bound: MOST,
      wanted: HOST_SIDE_ADD,
      measured: share('addMs'),
    },
    {
      what: `Type leasehold: DEL p50, ${of}`,
      unit: '',
      bound: MOST,
      wanted: HOST_SIDE_DEL,
      measured: share('delMs'),
    },
    {
      what: `Type leasehold: 250 ADDs at once, rate ${of}`,
      unit: '',
      bound: LEAST,
      wanted: HOST_SIDE_RATE,
      measured: rate('hostSide') / rate('leasehold'),
    },
  ];
}

/** Of the plugin type `leasehold`, in every phase. */
export function hostSideFailures({ sequence, bursts, loop, hostSide }: Measured): readonly string[] {
  return [
    ...sequence.hostSide.failures,
    ...bursts.flatMap((burst) =>
      [...burst.hostSide.adds, ...burst.hostSide.dels].flatMap((batch) => batch.failures),
    ),
    ...loop.hostSide.failures,
    ...hostSide.failures,
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
    restarts.failures.length +
    hostSideFailures(measured).length;
  return { what: 'Failed ADDs and DELs, all phases', unit: '', bound: MOST, wanted: 0, measured: failures };
}

export function goalsOf(measured: Measured): readonly Goal[] {
  return [
    ...sequenceGoals(measured),
    ...burstGoals(measured),
    ...daemonGoals(measured),
    ...renewalGoals(measured),
    ...restartGoals(measured),
    ...hostSideGoals(measured),
    failureGoal(measured),
  ];
}
