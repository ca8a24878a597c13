import { isSysError } from '../../base/sys-error.ts';
import { planRules } from './rule-keeper.ts';
import type { GuardPort, HostKernel, HostLink } from './ports.ts';
import type { UplinkRecord } from './record.ts';
import { isShimAlias } from './shim.ts';
import { restoreSysctls, unknownSysctls } from './sysctls.ts';

/** More shims than a node has uplinks. */
const MOST_SHIMS = 256;

export type UndoWorld = {
  readonly kernel: HostKernel;
  readonly guard: Pick<GuardPort, 'remove'>;
  /** Of this boot: sysctls of another one are gone with it. */
  readonly bootId: string;
  /** The record of an uplink whose sysctls are as they were. Rejects with SysError. */
  save(record: UplinkRecord): Promise<void>;
};

/** What was done, and what could not be: a line each, for a person. */
export type Undone = { readonly done: readonly string[]; readonly failed: readonly string[] };

/**
 * Takes off the node all that carries our marks, on record or not, and puts back the sysctls that are on record. Every
 * step is tried, whatever became of those before. Pods stay as they are, and so do records: they are what the next run
 * of the daemon makes the same shims of, which the pods know.
 */
export async function undoNode(world: UndoWorld, records: readonly UplinkRecord[]): Promise<Undone> {
  const undo = new Undo(world, records);
  // Nothing leads to a service by then, so the guard goes after the shims.
  await undo.attempt('see the interfaces of the node', () => undo.removeShims());
  await undo.attempt('remove policy rules (ip rule, protocol 76)', () => undo.removeRules());
  await undo.attempt('remove nftables tables (nft delete table)', () => undo.removeTables());
  return { done: undo.done, failed: undo.failed };
}

class Undo {
  readonly done: string[] = [];
  readonly failed: string[] = [];
  readonly #world: UndoWorld;
  readonly #records: readonly UplinkRecord[];

  constructor(world: UndoWorld, records: readonly UplinkRecord[]) {
    this.#world = world;
    this.#records = records;
  }

  async attempt(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!isSysError(error)) throw error;
      this.failed.push(`could not ${what}: ${error.message}`);
    }
  }

  async removeShims(): Promise<void> {
    const { kernel } = this.#world;
    const links = await kernel.links();
    const shims = links.filter((link) => this.#isShim(link, links));
    for (const shim of shims.slice(0, MOST_SHIMS)) {
      await this.attempt(`remove ${shim.name} (ip link del ${shim.name})`, async () => {
        await kernel.deleteLink(shim.index);
        this.done.push(`removed ${shim.name}, with its addresses, routes and neighbours`);
      });
    }
    if (shims.length > MOST_SHIMS) this.failed.push(`there are more than ${MOST_SHIMS} shims: repeat this`);
    const wereShimmed = new Set(shims.map(({ masterIndex }) => masterIndex));
    for (const link of links) {
      const records = this.#recordsOf(link);
      for (const record of records) await this.#restore(record, link.name);
      const isUnknown = records.length === 0 && wereShimmed.has(link.index);
      if (isUnknown) this.done.push(...unknownSysctls(kernel, link.name));
    }
  }

  /** One that a daemon left while it made it has no alias yet. */
  #isShim({ kind, alias, masterIndex, mac }: HostLink, links: readonly HostLink[]): boolean {
    if (kind !== 'macvlan') return false;
    if (isShimAlias(alias)) return true;
    const uplink = links.find(({ index }) => index === masterIndex);
    const known = this.#records.filter((record) => record.uplink === uplink?.name);
    return [...known, ...this.#recordsOf(uplink)].some(({ shim }) => shim.mac === mac);
  }

  /** By its index: it may have another name by now. */
  #recordsOf(uplink: HostLink | undefined): readonly UplinkRecord[] {
    const { bootId } = this.#world;
    return this.#records.filter(
      ({ sysctls }) => sysctls.bootId === bootId && sysctls.index === uplink?.index,
    );
  }

  async #restore(record: UplinkRecord, ifname: string): Promise<void> {
    await this.attempt(`put the sysctls of ${ifname} back`, async () => {
      this.done.push(...restoreSysctls(this.#world.kernel, record, ifname));
      // What they are from now on is the business of others: the next install begins with that.
      if (record.sysctls.saved.length > 0) {
        await this.#world.save({ ...record, sysctls: { ...record.sysctls, saved: [] } });
      }
    });
  }

  async removeRules(): Promise<void> {
    const { kernel } = this.#world;
    const none = { networks: [], shims: [], lans: [] };
    let rules;
    try {
      rules = planRules(none, await kernel.rules());
    } catch (error) {
      if (isSysError(error, 'EOPNOTSUPP')) return;
      throw error;
    }
    const outcomes = await kernel.apply(rules.map(({ change }) => change));
    const errors = outcomes.filter((error) => error !== undefined);
    const removed = outcomes.length - errors.length;
    if (removed > 0) this.done.push(`removed ${removed} policy rule${removed === 1 ? '' : 's'}`);
    if (errors[0] !== undefined) throw errors[0];
  }

  async removeTables(): Promise<void> {
    for (const { table, error } of await this.#world.guard.remove()) {
      if (error === undefined) this.done.push(`removed the nftables table ${table}`);
      else this.failed.push(`could not remove a table (nft delete table ${table}): ${error.message}`);
    }
  }
}
