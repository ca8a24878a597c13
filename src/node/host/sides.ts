import { HOST_SCHEMA, type UplinkRecord } from './record.ts';
import { firstShimName, shimOf } from './shim.ts';
import { UplinkSide, type UplinkSideOwner } from './uplink-side.ts';
import type { HostWorld } from './world.ts';

/** The uplinks that pods stand on, by name. */
export class Sides {
  readonly #world: HostWorld;
  readonly #owner: UplinkSideOwner;
  readonly #sides = new Map<string, UplinkSide>();
  /** Those on their way: two first pods at once are one shim. */
  readonly #coming = new Map<string, Promise<UplinkSide>>();
  /** Names of shims on record. */
  readonly #shims = new Set<string>();

  constructor(world: HostWorld, owner: UplinkSideOwner) {
    this.#world = world;
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
    const side = new UplinkSide(this.#world, this.#owner, record);
    this.#shims.add(record.shim.name);
    this.#sides.set(record.uplink, side);
    return side;
  }

  /** Rejects with SysError when its record cannot be stored. */
  of(uplink: string): Promise<UplinkSide> {
    const known = this.#sides.get(uplink);
    if (known !== undefined) return Promise.resolve(known);
    const coming = this.#coming.get(uplink) ?? this.#make(uplink);
    this.#coming.set(uplink, coming);
    return coming.finally(() => this.#coming.delete(uplink));
  }

  async #make(uplink: string): Promise<UplinkSide> {
    const { kernel, store, clock } = this.#world;
    const links = await kernel.links();
    // One that is there although its record was lost: its name and MAC address are what pods know.
    const left = shimOf(links, uplink);
    const name = left?.name ?? firstShimName(links, [...this.#shims]);
    const record: UplinkRecord = {
      kind: 'uplink',
      schema: HOST_SCHEMA,
      uplink,
      shim: { name, mac: left?.mac ?? this.#world.newMac() },
      sysctls: { bootId: clock.bootId, index: 0, saved: [] },
    };
    await store.put(record);
    return this.#add(record);
  }
}
