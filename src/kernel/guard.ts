import { isSysError, SysError } from '../base/sys-error.ts';
import type { TableName, TableSpec } from '../wire/nftables/table.ts';
import {
  egressGuard,
  type GuardSpec,
  inetGuard,
  INET_TABLE,
  NAT_TABLE,
  NETDEV_TABLE,
  returnPath,
} from './guard-table.ts';
import { readLink } from './link-ioctl.ts';
import type { NetNs } from './netns.ts';
import { Nftables } from './nftables.ts';

export type { GuardSpec } from './guard-table.ts';

/** A cluster has one or two. */
export const GUARD_NETWORKS_MAX = 1024;
/** linux/netfilter/nf_tables.h (NFT_NETDEVICE_MAX) */
export const GUARD_UPLINKS_MAX = 256;

/** Whether the barrier at the uplinks themselves is there. 'no-uplink': none of them exists now. */
export type EgressState = 'guarded' | 'no-uplink' | 'unsupported';

/** Packets stopped since the last `put`. `forward` and `output` of table inet, `egress` of table netdev. */
export type GuardCounters = {
  readonly forward: bigint;
  readonly output: bigint;
  readonly egress: bigint;
};

/** node/host/ports.ts, GuardPort: the nftables that keep service traffic off the LAN. Every error is a SysError. */
export class HostGuard implements AsyncDisposable {
  readonly #netns: NetNs | undefined;
  #tables: Nftables | undefined;
  #put:
    | { readonly tables: readonly TableSpec[]; readonly spec: GuardSpec; readonly devices: string }
    | undefined;
  #egress: EgressState = 'no-uplink';

  /** Of `netns`, or the daemon's own namespace. */
  constructor(netns?: NetNs) {
    this.#netns = netns;
  }

  /** What the last `put` could do: 'unsupported' where the kernel has no netdev egress hook (before 5.16). */
  get egress(): EgressState {
    return this.#egress;
  }

  /**
   * Both tables in one transaction, whatever is there of them. Without the egress hook the inet table alone is put and
   * `egress` says so. EOPNOTSUPP where the kernel has no nftables, E2BIG for more than GUARD_NETWORKS_MAX.
   */
  async put(spec: GuardSpec): Promise<void> {
    checkBounds(spec);
    await this.#putFilters(spec);
    await this.#putReturnPath(spec);
  }

  /** Without services there is nothing to translate, and no reason to have the kernel track connections. */
  async #putReturnPath(spec: GuardSpec): Promise<void> {
    if (spec.networks.length === 0) {
      await this.#removeIfKnown(NAT_TABLE);
      return;
    }
    const table = returnPath(spec);
    try {
      await this.#open().put([table]);
    } catch (error) {
      // A kernel without NAT for nftables: services on this node work, those elsewhere need kube-proxy's masquerading.
      if (isSysError(error, 'EOPNOTSUPP', 'ENOENT')) return;
      throw error;
    }
    if (this.#put !== undefined) this.#put = { ...this.#put, tables: [...this.#put.tables, table] };
  }

  /** A kernel without that family has no such table either. */
  async #removeIfKnown(table: TableName): Promise<void> {
    try {
      await this.#open().remove([table]);
    } catch (error) {
      if (!isSysError(error, 'EOPNOTSUPP')) throw error;
    }
  }

  async #putFilters(spec: GuardSpec): Promise<void> {
    const inet = inetGuard(spec);
    const devices = this.#devices(spec);
    const remember = (tables: readonly TableSpec[], egress: EgressState): void => {
      this.#put = { tables, spec, devices: devices.join(' ') };
      this.#egress = egress;
    };
    if (devices.length > 0 && this.#egress !== 'unsupported') {
      const both = [inet, egressGuard(spec, devices)];
      try {
        await this.#open().put(both);
        remember(both, 'guarded');
        return;
      } catch (error) {
        // ENOENT: an interface went meanwhile, which the next look notices.
        if (!isSysError(error, 'EOPNOTSUPP', 'ENOENT')) throw error;
        if (error.code === 'EOPNOTSUPP') this.#egress = 'unsupported';
      }
    }
    await this.#open().put([inet]);
    // What an earlier put left of the other would hold old networks.
    if (this.#egress !== 'unsupported') await this.#open().remove([NETDEV_TABLE]);
    remember([inet], this.#egress === 'unsupported' ? 'unsupported' : 'no-uplink');
  }

  #devices(spec: GuardSpec): readonly string[] {
    return [...new Set(spec.uplinks)].filter((name) => readLink(name, this.#netns) !== undefined).toSorted();
  }

  /**
   * Compares all of both tables with what was put, and the uplinks that exist with those at which the barrier stands;
   * false before the first `put`.
   */
  async isIntact(): Promise<boolean> {
    const put = this.#put;
    if (put === undefined) return false;
    const devicesChanged = this.#devices(put.spec).join(' ') !== put.devices;
    if (devicesChanged && this.#egress !== 'unsupported') return false;
    for (const table of put.tables) {
      if (!(await this.#open().isAsSpecified(table))) return false;
    }
    return true;
  }

  async remove(): Promise<void> {
    this.#put = undefined;
    await this.#open().remove([INET_TABLE]);
    await this.#removeIfKnown(NAT_TABLE);
    await this.#removeIfKnown(NETDEV_TABLE);
  }

  /** What was stopped, by chain; none for a chain that is not there. */
  counters(): Promise<GuardCounters> {
    return countersOf(this.#open());
  }

  async close(): Promise<void> {
    await this.#tables?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #open(): Nftables {
    this.#tables ??= Nftables.open(this.#netns);
    return this.#tables;
  }
}

/** For who only looks: the counters of the tables that are there, in `netns` or the process's own namespace. */
export async function readGuardCounters(netns?: NetNs): Promise<GuardCounters> {
  await using tables = Nftables.open(netns);
  return await countersOf(tables);
}

async function countersOf(tables: Nftables): Promise<GuardCounters> {
  const inet = await tables.counters(INET_TABLE);
  const netdev = await tables.counters(NETDEV_TABLE).catch((error: unknown) => {
    // A kernel without that family has no such table either.
    if (isSysError(error, 'EOPNOTSUPP')) return [];
    throw error;
  });
  const packetsOf = (name: string): bigint =>
    [...inet, ...netdev]
      .filter(({ chain }) => chain === name)
      .reduce((sum, { packets }) => sum + packets, 0n);
  return { forward: packetsOf('forward'), output: packetsOf('output'), egress: packetsOf('egress') };
}

/** linux/if.h (IFNAMSIZ), without the NUL. */
const IFNAME_LENGTH_MAX = 15;

function checkBounds({ networks, uplinks, shims, confined = [] }: GuardSpec): void {
  if (networks.length > GUARD_NETWORKS_MAX) {
    throw new SysError('put guard', 'E2BIG', `services: more than ${GUARD_NETWORKS_MAX} networks`);
  }
  if (uplinks.length > GUARD_UPLINKS_MAX || shims.length > GUARD_UPLINKS_MAX) {
    throw new SysError('put guard', 'E2BIG', `more than ${GUARD_UPLINKS_MAX} uplinks or shims`);
  }
  for (const name of [...uplinks, ...shims, ...confined]) {
    if (name === '' || name.length > IFNAME_LENGTH_MAX || name.includes('\0')) {
      throw new SysError('put guard', 'EINVAL', `no name of an interface: ${JSON.stringify(name)}`);
    }
  }
}
