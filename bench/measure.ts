import { BenchHome } from './home.ts';
import { describeMachine, type Machine } from './machine.ts';
import { measureBursts, type BurstSize } from './measure-bursts.ts';
import { measureDensity, type Densities } from './measure-density.ts';
import { measureDisturbance, type Disturbance } from './measure-disturbance.ts';
import { measureFootprint, type Footprint } from './measure-footprint.ts';
import { measureHostSide, type HostSideFootprint } from './measure-host-side.ts';
import { measureReboot, type RebootSize } from './measure-reboot.ts';
import { measureRenewals, type Renewals } from './measure-renewals.ts';
import { measureRestarts, type Restarts } from './measure-restart.ts';
import { measureSequence, type Sequences } from './measure-sequence.ts';
import { measureStarts, type Starts } from './measure-starts.ts';
import type { Options } from './options.ts';
import { podsNeeded, type Plan } from './plan.ts';
import type { Pair } from './sides.ts';

/** What each section of a run gives. */
export type Results = {
  readonly starts: Starts;
  readonly sequence: Sequences;
  readonly bursts: readonly BurstSize[];
  readonly density: Densities;
  readonly disturbance: Disturbance;
  readonly reboot: readonly RebootSize[];
  readonly footprint: Pair<Footprint>;
  readonly restarts: Restarts;
  readonly leasehold: HostSideFootprint;
  readonly renewals: Renewals;
};

export type SectionName = keyof Results;

type Section<T> = {
  /** What is said of it before it begins. */
  readonly says: string;
  readonly measure: (home: BenchHome, plan: Plan) => Promise<T>;
};

/** In the order in which they are run. Each starts daemons of its own, so that any of them can be run alone. */
const SECTIONS: { readonly [Name in SectionName]: Section<Results[Name]> } = {
  starts: { says: 'starts of the programs', measure: measureStarts },
  sequence: { says: 'one after another, with dnsmasq', measure: measureSequence },
  bursts: { says: 'many at once, with Kea', measure: measureBursts },
  density: { says: 'one ADD with few and with many pods on the uplink', measure: measureDensity },
  disturbance: { says: 'bursts beside pods that renew', measure: measureDisturbance },
  reboot: { says: 'the pods of a node after its reboot', measure: measureReboot },
  footprint: { says: 'what fresh daemons take of the machine', measure: measureFootprint },
  restarts: { says: 'restarts with many leases', measure: measureRestarts },
  leasehold: { says: "many pods with the node's part, and restarts", measure: measureHostSide },
  renewals: { says: 'renewals of short leases', measure: measureRenewals },
};

export const SECTION_NAMES = Object.keys(SECTIONS) as readonly SectionName[];

export type Measured = {
  readonly plan: Plan;
  readonly machine: Machine;
  /** Of the sections that were asked for. */
  readonly results: Partial<Results>;
  /** Seconds that each of them took. */
  readonly took: readonly { readonly section: SectionName; readonly seconds: number }[];
  readonly seconds: number;
};

export type MeasureParts = {
  readonly root: string;
  readonly options: Options;
  readonly plan: Plan;
  readonly signal: AbortSignal;
  /** Told what comes next. */
  readonly say: (text: string) => void;
};

function secondsSince(then: number): number {
  return (performance.now() - then) / 1000;
}

/** Builds the home, measures what was asked for, and takes the home down, whatever happens. */
export async function measure({ root, options, plan, signal, say }: MeasureParts): Promise<Measured> {
  const begun = performance.now();
  const machine = await describeMachine(root, options.goVersion);
  const names = SECTION_NAMES.filter((name) => options.only?.includes(name) ?? true);
  const podCount = podsNeeded(plan, names);
  say(`making a home LAN and ${podCount} containers' namespaces`);
  await using home = await BenchHome.create({ options, signal }, podCount);
  const results: Partial<Results> = {};
  const took: { section: SectionName; seconds: number }[] = [];
  for (const section of names) {
    say(SECTIONS[section].says);
    const then = performance.now();
    Object.assign(results, { [section]: await SECTIONS[section].measure(home, plan) });
    took.push({ section, seconds: secondsSince(then) });
  }
  return { plan, machine, results, took, seconds: secondsSince(begun) };
}
