import { getRandomValues } from 'node:crypto';
import { parseJson } from '../base/json.ts';
import { macFromBytes, type Mac } from '../base/mac.ts';
import { isSysError } from '../base/sys-error.ts';
import { bootId, now } from '../kernel/clock.ts';
import { HostGuard } from '../kernel/guard.ts';
import type { HostNetwork } from '../kernel/host-network.ts';
import { HostSideNetwork } from '../kernel/host-side-network.ts';
import { LeaseFiles, recordFileName } from '../kernel/lease-files.ts';
import { namespaceAt } from '../kernel/namespace-at.ts';
import { watchNftables } from '../kernel/nft-watch.ts';
import { PodNetwork } from '../kernel/pod-network.ts';
import { openPodSide } from '../kernel/pod-side.ts';
import { Slices } from '../kernel/slices.ts';
import type { Debt } from '../lease/debts.ts';
import type { ManagedLease } from '../lease/manager.ts';
import { HostSide } from '../node/host/host-side.ts';
import { NestedLinks, type PodLink, type PodOnUplink } from '../node/host/nested-links.ts';
import { formatHostRecord, hostRecordKey, parseHostRecord, type HostRecord } from '../node/host/record.ts';
import { ServiceNetworks } from '../node/host/service-networks.ts';
import type { HostWorld, LeaseHere } from '../node/host/world.ts';

const LOCAL_BIT = 0x02;
const MULTICAST_BIT = 0x01;
const MAC_LENGTH = 6;

type Needs = Pick<
  HostWorld,
  'timers' | 'hearNow' | 'leaseAddress' | 'leases' | 'lan' | 'apiServer' | 'sendFrame' | 'log' | 'count'
> & {
  readonly stateDir: string;
  readonly host: HostNetwork;
  /** RELEASEs that are owed. */
  readonly debts: () => readonly Debt[];
};

export type HostParts = {
  readonly side: HostSide;
  readonly services: ServiceNetworks;
  readonly nested: NestedLinks;
};

/** The node's side of the pods, with what an earlier run left; `start` of it comes when the leases are taken up. */
export async function openHostSide(needs: Needs): Promise<HostParts> {
  const { stateDir, host, log, debts, ...world } = needs;
  const { records, store } = await openHostRecords(stateDir, log);
  const services = new ServiceNetworks();
  const clock = { now, bootId: bootId() };
  const kernel = new HostSideNetwork(host.rtnl);
  const side = new HostSide(
    {
      ...world,
      log,
      clock,
      kernel,
      guard: new HostGuard(),
      openPodSide,
      namespaceAt,
      newMac,
      store,
    },
    services,
  );
  await resumeAll(records, side);
  const nested = new NestedLinks({
    ...world,
    log,
    clock,
    kernel: {
      peek: (name) => kernel.peek(name),
      links: () => kernel.links(),
      neighbours: (index) => kernel.neighbours(index),
      childMacs: (index) => kernel.childMacs(index),
      podLinks: (netns) => podLinks(netns, host),
    },
    pods: () => [...side.attachmentsOf(), ...world.leases()],
    ended: () => debts().flatMap(endedOn),
  });
  return { side, services, nested };
}

async function podLinks(
  { path, inode }: PodOnUplink['netns'],
  host: HostNetwork,
): Promise<readonly PodLink[]> {
  const pod = PodNetwork.open(path, host.rtnl);
  try {
    return pod.inode === inode ? await pod.links() : [];
  } finally {
    pod.close();
  }
}

export type HostRecords = { readonly records: readonly HostRecord[]; readonly store: HostWorld['store'] };

/** What an earlier run left. A file that cannot be read is moved aside and named. Rejects with SysError. */
export async function openHostRecords(stateDir: string, log: HostWorld['log']): Promise<HostRecords> {
  const files = await LeaseFiles.open(stateDir, 'host', 'host-spare');
  const records: HostRecord[] = [];
  // Whoever asks for the daemon's health meanwhile is answered.
  const slices = new Slices();
  for (const file of await files.load()) {
    await slices.pause();
    const json = 'text' in file ? parseJson(file.text) : undefined;
    const record = json?.ok === true ? parseHostRecord(json.value) : undefined;
    if (record?.ok === true) records.push(record.value);
    else await moveAside(files, file.name, log);
  }
  return {
    records,
    store: {
      put: (record) => files.put(recordFileName(hostRecordKey(record)), formatHostRecord(record)),
      remove: (record) => files.remove(recordFileName(hostRecordKey(record))),
    },
  };
}

/** A lease as the node's side sees it; none for one whose address is not there, or that is on no uplink of the node. */
export function leaseHere({ record, lease }: ManagedLease): readonly LeaseHere[] {
  const { key, netns, link, lan } = record;
  if (lease === undefined || lan === undefined || !link.owned) return [];
  return [{ key, netns, mac: link.mac, uplink: lan.name, address: lease.address.address }];
}

/** A pod that is gone, on its uplink; none while the kernel may still be taking its namespace apart. */
function endedOn({ record: { key, link, lan }, tries }: Debt): readonly Omit<PodOnUplink, 'netns'>[] {
  return lan === undefined || tries < 2 ? [] : [{ key, mac: link.mac, uplink: lan.name }];
}

/** Uplinks before pods, which stand on them. */
async function resumeAll(records: readonly HostRecord[], side: HostSide): Promise<void> {
  const slices = new Slices();
  for (const record of records) if (record.kind === 'uplink') side.resume(record);
  for (const record of records) {
    await slices.pause();
    if (record.kind === 'attachment') side.resume(record);
  }
}

async function moveAside(files: LeaseFiles, name: string, log: HostWorld['log']): Promise<void> {
  try {
    log.error({ file: name, aside: await files.moveAside(name) }, 'a record of the host side cannot be read');
  } catch (error) {
    if (!isSysError(error)) throw error;
    log.error(
      { file: name, error: error.message },
      'a record of the host side can neither be read nor moved',
    );
  }
}

/** Locally administered, unicast, random: shims of one LAN must not meet, and a cloned disk has the same machine id. */
function newMac(): Mac {
  const bytes = getRandomValues(new Uint8Array(MAC_LENGTH));
  bytes[0] = ((bytes[0] ?? 0) | LOCAL_BIT) & ~MULTICAST_BIT;
  return macFromBytes(bytes);
}

/** Tells the host side when somebody changes its nftables tables; undefined where the kernel has none. */
export function watchGuard(
  side: HostSide,
  log: HostWorld['log'],
): { readonly close: () => void } | undefined {
  try {
    return watchNftables(
      () => side.guardChanged(),
      () => side.guardChanged(),
    );
  } catch (error) {
    if (!isSysError(error)) throw error;
    log.warn({ error: error.message }, 'nftables cannot be watched');
    return undefined;
  }
}
