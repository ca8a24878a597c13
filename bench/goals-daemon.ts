import { type Goal, LEAST, MOST } from './goal.ts';
import type { Measured } from './measure.ts';
import { renewalShare } from './measure-renewals.ts';
import type { Restart } from './measure-restart.ts';
import { largest } from './statistics.ts';

const MANY_LEASES = 1000;
/** "At most a fifth of the Go daemon's CPU time". */
const RENEWAL_SHARE = 0.2;
/** In which a thousand leases are to be taken up. */
const SECOND_MS = 1000;
/** "Far below" a packet for each lease. */
const FEW_PACKETS_SHARE = 0.05;

function grown(a: number | undefined, b: number | undefined): number {
  return (a ?? Number.NaN) - (b ?? Number.NaN);
}

/** Goals for the daemon itself. */
export function daemonGoals({ loop, footprint }: Measured): readonly Goal[] {
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
      // 25 of libuv (bin/leasehold), 24 of which may wait for deletions, and three of Node.
      wanted: 28,
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

/** Renewals, against the Go daemon in the same run. */
export function renewalGoals({ renewals: { sizes, kept } }: Measured): readonly Goal[] {
  const shares = sizes.map((size): Goal => ({
    what: `A renewal's CPU with ${size.leases} leases, of the Go daemon's`,
    unit: '',
    bound: MOST,
    wanted: RENEWAL_SHARE,
    measured: renewalShare(size),
  }));
  const { leases, inForce } = kept.leasehold;
  return [
    ...shares,
    {
      what: `${leases} leases: kept through kill -9 and a restart`,
      unit: '',
      bound: LEAST,
      wanted: leases,
      measured: inForce,
    },
  ];
}

/** What a start finds and does, with as many leases as pods. */
export function restartGoals({ restarts }: Measured): readonly Goal[] {
  const [real] = restarts.sizes;
  if (real === undefined) return [];
  const { leases, starts } = real;
  const count = leases.toLocaleString('en');
  const worst = (of: (start: Restart) => number): number => largest(starts.map(of));
  return [
    {
      what: `Restart, ${count} leases: all taken up, slowest`,
      unit: 'ms',
      bound: MOST,
      wanted: SECOND_MS,
      measured: worst(({ takenUpMs }) => takenUpMs),
    },
    {
      what: `Restart, ${count} leases: packets to the server`,
      unit: '',
      bound: MOST,
      wanted: leases * FEW_PACKETS_SHARE,
      measured: worst(({ heardByServer }) => heardByServer),
    },
    {
      what: 'Leases left at the server by DELs after restarts',
      unit: '',
      bound: MOST,
      wanted: 0,
      measured: restarts.leftAtServer,
    },
  ];
}
