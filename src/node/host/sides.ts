import { isSysError } from '../../base/sys-error.ts';
import type { LinkNames } from './link-names.ts';
import { HOST_SCHEMA, type UplinkRecord } from './record.ts';
import { firstShimName, shimOf } from './shim.ts';
import type { UplinkSideOwner } from './side-owner.ts';
import { UplinkSide } from './uplink-side.ts';
import type { HostWorld } from './world.ts';

/** Whom the sides tell what concerns pods. */
export type SidesOwner = Omit<UplinkSideOwner<UplinkSide>, 'isTaken' | 'save'>;

/** The uplinks that pods stand on, by name. */
export class Sides {
  readonly #world: HostWorld;
  readonly #names: LinkNames;
  readonly #owner: SidesOwner;
  readonly #sides = new Map<string, UplinkSide>();
  /** Those on their way: two first pods at once are one shim. */
  readonly #coming = new Map<string, Promise<UplinkSide>>();
  /** Names of shims on record. */
  readonly #shims = new Set<string>();

  constructor(world: HostWorld, names: LinkNames, owner: SidesOwner) {
    this.#world = world;
    this.#names = names;
    this.#owner = owner;
  }

  get all(): readonly UplinkSide[] {
    return [...this.#sides.values()];
  }

  /** Of an earlier run. */
  resume(record: UplinkRecord): void {
    this.#add(record);
  }

  #add(record: UplinkRecord): UplinkSide {
    const owner: UplinkSideOwner<UplinkSide> = {
      ...this.#owner,
      save: (changed) => this.#world.store.put(changed),
      isTaken: (index, one) => this.all.some((other) => other !== one && other.uplinkIndex === index),
      renamed: (one, before) => this.#renamed(one, before),
    };
    const side = new UplinkSide(this.#world, owner, record);
    this.#shims.add(record.shim.name);
    this.#sides.set(record.uplink, side);
    return side;
  }

  /** Rejects with SysError when the node's links cannot be read. */
  async of(uplink: string): Promise<UplinkSide> {
    await this.#follow(uplink);
    const known = this.#sides.get(uplink);
    if (known !== undefined) return known;
    const coming = this.#coming.get(uplink) ?? this.#make(uplink);
    this.#coming.set(uplink, coming);
    return await coming.finally(() => this.#coming.delete(uplink));
  }

  /** An interface may have got this name, or lost it, a moment ago: its side looks before it is chosen by name. */
  async #follow(uplink: string): Promise<void> {
    const index = this.#names.find(uplink)?.index;
    const others = this.all.filter(
      ({ name, uplinkIndex }) => uplinkIndex !== undefined && (uplinkIndex === index) !== (name === uplink),
    );
    await Promise.all(others.map((side) => side.lookAgain()));
  }

  /**
   * Under its new name from now on. The old record goes before the new one is there: of a side without a record the
   * shim tells enough, but two records would be two sides.
   */
  async #renamed(side: UplinkSide, before: UplinkRecord): Promise<void> {
    for (const [name, one] of this.#sides) if (one === side) this.#sides.delete(name);
    const other = this.#sides.get(side.name);
    // Names that are exchanged: the other one is followed next.
    if (other !== undefined && !this.#sides.has(before.uplink)) this.#sides.set(before.uplink, other);
    this.#sides.set(side.name, side);
    if (!this.all.some(({ name }) => name === before.uplink)) await this.#world.store.remove(before);
    await this.#world.store.put({ ...before, uplink: side.name });
    await this.#owner.renamed(side, before);
  }

  async #make(uplink: string): Promise<UplinkSide> {
    const { kernel, store, clock } = this.#world;
    const links = await kernel.links();
    // One that is there although its record was lost: its name and MAC address are what pods know.
    const left = shimOf(links, uplink);
    const known = this.all.find(({ shimMac }) => shimMac === left?.mac);
    // Of a run that ended while it followed a new name.
    if (known !== undefined) return known;
    const name = left?.name ?? firstShimName(links, [...this.#shims]);
    const record: UplinkRecord = {
      kind: 'uplink',
      schema: HOST_SCHEMA,
      uplink,
      shim: { name, mac: left?.mac ?? this.#world.newMac() },
      sysctls: { bootId: clock.bootId, index: 0, saved: [] },
    };
    try {
      await store.put(record);
    } catch (error) {
      // Pods that run must not wait for room on the disk; the shim's alias tells the rest if need be.
      if (!isSysError(error)) throw error;
      this.#world.log.warn({ uplink, error: error.message }, 'the record of an uplink cannot be stored');
    }
    return this.#add(record);
  }
}
