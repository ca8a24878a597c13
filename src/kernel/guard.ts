import { MAX_IFNAME_BYTES } from '../base/ifname.ts';
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

/** A table that was there; with an error it still is. */
export type GuardRemoval = { readonly table: string; readonly error: SysError | undefined };

/** Interfaces that vanish between a look and a transaction, one after another. */
const MOST_TRIES = 3;

/**
 * Packets stopped since the last `put`. `refuse`, `forward`, `output` and `confine` of table inet, `egress` of table
 * netdev.
 */
export type GuardCounters = {
  /** Sent by pods, before they were routed. */
  readonly refuse: bigint;
  readonly forward: bigint;
  readonly output: bigint;
  readonly egress: bigint;
  /** What the node would have passed on from the LAN only because of us. */
  readonly confine: bigint;
};

/** nf_tables of one namespace. */
export type Tables = Pick<Nftables, 'put' | 'remove' | 'has' | 'isAsSpecified' | 'counters' | 'close'>;

/** node/host/ports.ts, GuardPort: the nftables that keep service traffic off the LAN. Every error is a SysError. */
export class HostGuard implements AsyncDisposable {
  readonly #isThere: (name: string) => boolean;
  readonly #openTables: () => Tables;
  #tables: Tables | undefined;
  #put:
    | { readonly tables: readonly TableSpec[]; readonly spec: GuardSpec; readonly devices: string }
    | undefined;
  #egress: EgressState = 'no-uplink';
  /** The kernel refuses at hook prerouting. */
  #canBeEarly = true;

  /** Of `netns`, or the daemon's own namespace. `isThere`: whether it has an interface of that name now. */
  constructor(
    netns?: NetNs,
    isThere = (name: string): boolean => readLink(name, netns) !== undefined,
    openTables: () => Tables = () => Nftables.open(netns),
  ) {
    this.#isThere = isThere;
    this.#openTables = openTables;
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
    const { egress } = this;
    if (this.#canBeEarly) {
      try {
        await this.#putTables(spec, inetGuard(spec, true));
        return;
      } catch (error) {
        if (!isSysError(error, 'EOPNOTSUPP', 'ENOENT')) throw error;
      }
      // Which of the two the kernel lacks, the egress hook or this, shows without this.
      this.#egress = egress;
    }
    await this.#putTables(spec, inetGuard(spec, false));
    this.#canBeEarly = false;
  }

  async #putTables(spec: GuardSpec, inet: TableSpec): Promise<void> {
    const isPut = await this.#putBoth(spec, inet);
    if (isPut) return;
    await this.#open().put([inet]);
    // What an earlier put left of the other would hold old networks.
    if (this.#egress !== 'unsupported') await this.#open().remove([NETDEV_TABLE]);
    this.#remember([inet], spec, [], this.#egress === 'unsupported' ? 'unsupported' : 'no-uplink');
  }

  /** False where the barrier at the uplinks cannot be: there is none of them, or the kernel has no such hook. */
  async #putBoth(spec: GuardSpec, inet: TableSpec): Promise<boolean> {
    for (let tries = 0; tries < MOST_TRIES && this.#egress !== 'unsupported'; tries++) {
      const devices = this.#devices(spec);
      if (devices.length === 0) return false;
      const both = [inet, egressGuard(spec, devices)];
      try {
        await this.#open().put(both);
        this.#remember(both, spec, devices, 'guarded');
        return true;
      } catch (error) {
        if (!isSysError(error, 'EOPNOTSUPP', 'ENOENT')) throw error;
        if (error.code === 'EOPNOTSUPP') this.#egress = 'unsupported';
        // ENOENT: an interface went meanwhile. The others are not to be without their barrier for that.
      }
    }
    return false;
  }

  #remember(
    tables: readonly TableSpec[],
    spec: GuardSpec,
    devices: readonly string[],
    egress: EgressState,
  ): void {
    this.#put = { tables, spec, devices: devices.join(' ') };
    this.#egress = egress;
  }

  #devices(spec: GuardSpec): readonly string[] {
    return [...new Set(spec.uplinks)].filter((name) => this.#isThere(name)).toSorted();
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

  /** One after another, each tried whatever became of the others: what was there of them, and why it still is. */
  async remove(): Promise<readonly GuardRemoval[]> {
    this.#put = undefined;
    const outcomes: GuardRemoval[] = [];
    for (const table of [INET_TABLE, NAT_TABLE, NETDEV_TABLE]) {
      const outcome = await this.#removal(table);
      if (outcome !== undefined) outcomes.push(outcome);
    }
    return outcomes;
  }

  async #removal(table: TableName): Promise<GuardRemoval | undefined> {
    const name = `${table.family} ${table.name}`;
    try {
      if (!(await this.#open().has(table))) return undefined;
      await this.#open().remove([table]);
      return { table: name, error: undefined };
    } catch (error) {
      if (!isSysError(error)) throw error;
      // A kernel without nftables, or without that family, has no such table either.
      return error.code === 'EOPNOTSUPP' ? undefined : { table: name, error };
    }
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

  #open(): Tables {
    this.#tables ??= this.#openTables();
    return this.#tables;
  }
}

/** For who only looks: the counters of the tables that are there, in `netns` or the process's own namespace. */
export async function readGuardCounters(netns?: NetNs): Promise<GuardCounters> {
  await using tables = Nftables.open(netns);
  return await countersOf(tables);
}

async function countersOf(tables: Pick<Tables, 'counters'>): Promise<GuardCounters> {
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
  return {
    refuse: packetsOf('refuse'),
    forward: packetsOf('forward'),
    output: packetsOf('output'),
    egress: packetsOf('egress'),
    confine: packetsOf('confine'),
  };
}

function checkBounds({ networks, uplinks, shims, confined = [] }: GuardSpec): void {
  if (networks.length > GUARD_NETWORKS_MAX) {
    throw new SysError('put guard', 'E2BIG', `services: more than ${GUARD_NETWORKS_MAX} networks`);
  }
  if (uplinks.length > GUARD_UPLINKS_MAX || shims.length > GUARD_UPLINKS_MAX) {
    throw new SysError('put guard', 'E2BIG', `more than ${GUARD_UPLINKS_MAX} uplinks or shims`);
  }
  for (const name of [...uplinks, ...shims, ...confined]) {
    if (name === '' || name.length > MAX_IFNAME_BYTES || name.includes('\0')) {
      throw new SysError('put guard', 'EINVAL', `no name of an interface: ${JSON.stringify(name)}`);
    }
  }
}
