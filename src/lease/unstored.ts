import { formatCidr } from '../base/cidr.ts';
import { isSysError } from '../base/sys-error.ts';
import { type Instant, seconds } from '../base/time.ts';
import type { Lease4 } from '../protocol/dhcp4/lease.ts';
import { leaseTimes } from '../protocol/dhcp4/lease-times.ts';
import { leftOutOf } from '../protocol/dhcp4/manner.ts';
import { type Dhcp4State, leaseOf } from '../protocol/dhcp4/state.ts';
import { openPodOf } from './pod-of-lease.ts';
import type { LeasedAddress, LeaseWorld } from './ports.ts';
import { type LeaseRecord, MOST_LEFTOVERS } from './record.ts';

/**
 * What a record would say if the daemon before this one could have stored its last change of address (the disk was full):
 * the pod has another address of a lease than the record knows, which a server granted after that. To be asked where the
 * pod lacks the address of its record, or that has none. Undefined: nothing is there but what the record knows.
 *
 * Of the server's words only the address and its end are known, so they have to be heard again. Never rejects.
 */
export async function unstoredChange(
  world: Pick<LeaseWorld, 'openPod' | 'clock' | 'count'>,
  record: LeaseRecord,
): Promise<LeaseRecord | undefined> {
  const { leftovers = [], adopting } = record;
  const known = new Set([...leftovers, ...(adopting === undefined ? [] : [adopting])].map(formatCidr));
  const unknown = (await leasedAddresses(world, record)).filter(
    ({ address }) => !known.has(formatCidr(address)),
  );
  const newest = unknown.at(-1);
  if (newest === undefined) return undefined;
  const earlier = unknown.slice(0, -1).map(({ address }) => address);
  const outdated = [...leftovers, ...(adopting === undefined ? [] : [adopting]), ...earlier];
  const before = leaseOf(record.state);
  const rest = {
    ...record,
    leftovers: outdated.length === 0 ? undefined : outdated.slice(0, MOST_LEFTOVERS),
    adopting: undefined,
  };
  if (before === undefined) {
    // Nobody knows the server. It is asked whether the lease is good, as for one of another DHCP client.
    const state: Dhcp4State = {
      kind: 'init',
      last: newest.address.address,
      leftOut: leftOutOf(record.state),
    };
    return { ...rest, state, adopting: newest.address };
  }
  return { ...rest, state: { kind: 'bound', lease: leaseNow(before, newest, world.clock.now()) } };
}

async function leasedAddresses(
  world: Pick<LeaseWorld, 'openPod' | 'clock' | 'count'>,
  record: LeaseRecord,
): Promise<readonly LeasedAddress[]> {
  try {
    const pod = openPodOf(world, record);
    try {
      return await pod.leasedAddresses(record.link.index);
    } finally {
      pod.close();
    }
  } catch (error) {
    if (!isSysError(error)) throw error;
    world.count('addresses-not-read');
    return [];
  }
}

/** Most likely of the same server, which can be told of its end. What else it gave is not known any more. */
function leaseNow(before: Lease4, { address, validFor }: LeasedAddress, now: Instant): Lease4 {
  return {
    address,
    serverId: before.serverId,
    acquiredAt: before.acquiredAt,
    times: validFor === undefined ? undefined : leaseTimes(now, validFor / seconds(1), undefined, undefined),
    routers: [],
    routes: [],
    dnsServers: [],
    domainName: undefined,
    domainSearch: [],
    mtu: undefined,
    malformed: [],
    refusedRoutes: [],
    remarks: [],
    ...(before.leftOut === undefined ? {} : { leftOut: before.leftOut }),
  };
}
