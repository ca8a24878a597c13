import { unreachable } from '../src/base/invariant.ts';
import type { SectionName } from './measure.ts';

/** How much is measured. Everything is bounded: a run ends whatever the machine does. */
export type Plan = {
  readonly name: 'full' | 'quick';
  /** Rounds of A then B, and containers one after another in each. */
  readonly sequence: { readonly rounds: number; readonly perRound: number };
  readonly bursts: readonly { readonly size: number; readonly rounds: number }[];
  /** Leases at which the daemons are looked at, ascending. */
  readonly leaseSteps: readonly number[];
  /** ADDs one after another on nodes with few and with many pods. */
  readonly density: {
    readonly few: number;
    readonly many: number;
    readonly rounds: number;
    readonly perRound: number;
  };
  /** Program starts per program, in interleaved rounds. */
  readonly starts: { readonly rounds: number; readonly perRound: number };
  /** Bursts beside pods that renew, and how long nothing happens before each round. */
  readonly disturbance: {
    readonly renewing: number;
    readonly burst: number;
    readonly rounds: number;
    readonly quietMs: number;
  };
  /** Pairs of A then B: each side holds so many leases, and is watched for so long while they are renewed. */
  readonly renewals: {
    readonly sizes: readonly { readonly leases: number; readonly pairs: number }[];
    readonly seconds: number;
  };
  /** Pods that come at once after a boot. */
  readonly reboot: readonly { readonly size: number; readonly rounds: number }[];
  /** How long daemons are watched that have nothing to do. */
  readonly idleSeconds: number;
  /** Starts after a kill with so many leases, and then with `copies` stored leases for each of them. */
  readonly restart: { readonly rounds: number; readonly leases: number; readonly copies: number };
};

export const FULL: Plan = {
  name: 'full',
  sequence: { rounds: 10, perRound: 20 },
  bursts: [10, 50, 100, 250].map((size) => ({ size, rounds: 5 })),
  leaseSteps: [0, 100, 1000],
  starts: { rounds: 10, perRound: 30 },
  density: { few: 5, many: 500, rounds: 7, perRound: 20 },
  disturbance: { renewing: 150, burst: 250, rounds: 4, quietMs: 2000 },
  renewals: {
    sizes: [
      { leases: 100, pairs: 1 },
      { leases: 500, pairs: 3 },
    ],
    seconds: 9,
  },
  reboot: [110, 250].map((size) => ({ size, rounds: 3 })),
  idleSeconds: 20,
  restart: { rounds: 3, leases: 1000, copies: 10 },
};

export const QUICK: Plan = {
  name: 'quick',
  sequence: { rounds: 3, perRound: 10 },
  bursts: [
    { size: 10, rounds: 2 },
    { size: 50, rounds: 2 },
    { size: 100, rounds: 2 },
    { size: 250, rounds: 2 },
  ],
  leaseSteps: [0, 20, 100],
  starts: { rounds: 3, perRound: 30 },
  density: { few: 5, many: 100, rounds: 3, perRound: 10 },
  disturbance: { renewing: 100, burst: 250, rounds: 1, quietMs: 1000 },
  renewals: { sizes: [{ leases: 50, pairs: 1 }], seconds: 6 },
  reboot: [{ size: 110, rounds: 1 }],
  idleSeconds: 5,
  restart: { rounds: 2, leases: 100, copies: 10 },
};

/** The namespaces that a section needs. */
function podsOf(plan: Plan, section: SectionName): number {
  switch (section) {
    case 'starts':
    case 'reboot':
      return 0;
    case 'sequence':
      return plan.sequence.perRound;
    case 'bursts':
      return Math.max(...plan.bursts.map(({ size }) => size));
    case 'density':
      return plan.density.few + plan.density.many + plan.density.perRound;
    case 'disturbance':
      return plan.disturbance.renewing + plan.disturbance.burst;
    case 'footprint':
      return Math.max(...plan.leaseSteps);
    case 'restarts':
    case 'leasehold':
      return plan.restart.leases;
    case 'renewals':
      return Math.max(...plan.renewals.sizes.map(({ leases }) => leases));
    default:
      return unreachable(section);
  }
}

/** The namespaces that all of these sections need: they use the same ones. */
export function podsNeeded(plan: Plan, sections: readonly SectionName[]): number {
  return Math.max(0, ...sections.map((section) => podsOf(plan, section)));
}
