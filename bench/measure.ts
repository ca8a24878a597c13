import { join } from 'node:path';
import { HomeLan } from '../src/lab/home-lan.ts';
import { parseCidr, type Cidr } from '../src/base/cidr.ts';
import { invariant } from '../src/base/invariant.ts';
import type { JsonObject } from '../src/base/json.ts';
import type { Bench } from './batch.ts';
import { Driver } from './driver.ts';
import { describeMachine, type Machine } from './machine.ts';
import { measureBursts, type BurstSize } from './measure-bursts.ts';
import { measureFootprint, type Footprint } from './measure-footprint.ts';
import { measureHostSide, type HostSideFootprint } from './measure-host-side.ts';
import { measureLoop, type BothLoopDelays } from './measure-loop.ts';
import {
  measureRenewals,
  renewalTimers,
  RENEWAL_LEASE,
  type Kept,
  type RenewalSize,
} from './measure-renewals.ts';
import { measureRestarts, type Restarts } from './measure-restart.ts';
import { measureSequence, type Sequence } from './measure-sequence.ts';
import { measureStarts, type Starts } from './measure-starts.ts';
import type { Options } from './options.ts';
import { podsNeeded, type Plan } from './plan.ts';
import { Pods } from './pods.ts';
import { dnsmasqPairs, keaControl, keaPairs } from './server-leases.ts';
import { startSides, type Pair, type Trio } from './sides.ts';

/** Room for every container of a run: a RELEASE of the Go plugins v1.9.1 frees nothing at dnsmasq (docs/changing-over.md). */
const ROUTER = '10.77.0.1/16';
const NODE = '10.77.0.2/16';

export type Measured = {
  readonly plan: Plan;
  readonly machine: Machine;
  readonly starts: Starts;
  readonly sequence: Trio<Sequence>;
  readonly bursts: readonly BurstSize[];
  readonly loop: BothLoopDelays;
  readonly footprint: Pair<Footprint>;
  readonly renewals: { readonly sizes: readonly RenewalSize[]; readonly kept: Pair<Kept> };
  readonly restarts: Restarts;
  readonly hostSide: HostSideFootprint;
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

function cidr(text: string): Cidr {
  const parsed = parseCidr(text);
  invariant(parsed !== undefined, `${text} is an address with a prefix`);
  return parsed;
}

type KeaSettings = { readonly leaseSeconds?: number; readonly timers?: JsonObject };

async function useKea(
  lan: HomeLan,
  bench: Bench,
  control: string,
  { leaseSeconds, timers }: KeaSettings = {},
): Promise<Bench> {
  await lan.server.stop();
  const dhcp4 = { ...(await keaControl(control)), ...timers };
  const lease = leaseSeconds === undefined ? {} : { leaseSeconds };
  await lan.startServer({ kind: 'kea', persist: false, dhcp4, ...lease }, bench.signal);
  return { ...bench, leased: keaPairs(control) };
}

/** Builds the home, measures everything in the plan, and takes the home down, whatever happens. */
export async function measure(parts: MeasureParts): Promise<Measured> {
  const { root, options, plan, signal, say } = parts;
  const begun = performance.now();
  const machine = await describeMachine(root, options.goVersion);
  say(`making a home LAN and ${podsNeeded(plan)} containers' namespaces`);
  await using lan = await HomeLan.create({
    router: ROUTER,
    hosts: { node: { address: cidr(NODE) } },
    server: { kind: 'dnsmasq' },
    signal,
  });
  await using pods = await Pods.create(lan.prefix, podsNeeded(plan), signal);
  const programs = { root, goPlugins: options.goPlugins };
  const sides = await startSides(lan, programs, 'timed');
  const driver = new Driver(options.driver, lan.node.namespace);

  say('starts of the programs');
  const starts = await measureStarts(driver, { sides, empty: options.empty, plan: plan.starts, signal });
  say('one after another, with dnsmasq');
  const withDnsmasq = { driver, conf: sides.conf, leased: dnsmasqPairs(lan), signal };
  const sequence = await measureSequence(withDnsmasq, sides, pods, plan.sequence);
  say('many at once, with Kea');
  const control = join(lan.folder, 'kea.sock');
  const withKea = await useKea(lan, withDnsmasq, control);
  const bursts = await measureBursts(withKea, sides, pods, plan.bursts);
  await sides.stop();
  say("the daemon's event loop");
  const loop = await measureLoop(withKea, { lan, root, pods, burst: plan.loopBurst });
  say('what fresh daemons take of the machine');
  const fresh = await startSides(lan, programs, 'fresh');
  const footprint = await measureFootprint({ ...withKea, conf: fresh.conf }, fresh, pods, plan);
  await fresh.stop();
  say('restarts with many leases');
  const restarts = await measureRestarts(
    { ...withKea, conf: fresh.conf },
    { lan, root, pods, control, plan: plan.restart },
  );
  say("many pods with the node's part, and restarts");
  const hostSide = await measureHostSide(withKea, { lan, root, pods, plan });
  say('renewals of short leases');
  const timers = renewalTimers();
  const short = await useKea(lan, withDnsmasq, control, { leaseSeconds: RENEWAL_LEASE.seconds, timers });
  const renewals = await measureRenewals(short, { lan, programs, pods, control, plan: plan.renewals });
  const seconds = (performance.now() - begun) / 1000;
  return { plan, machine, starts, sequence, bursts, loop, footprint, renewals, restarts, hostSide, seconds };
}
