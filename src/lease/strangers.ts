import type { Mac } from '../base/mac.ts';
import { isSysError } from '../base/sys-error.ts';
import { between, type Instant, seconds } from '../base/time.ts';
import type { LeaseWorld } from './ports.ts';
import type { LeaseIdentity } from './record.ts';

/** What was seen counts so long: pods that come together look once for all. */
const LATELY = seconds(1);

type World = Pick<LeaseWorld, 'clock' | 'childMacs' | 'isPodMac' | 'shimOn'>;
type Look = { readonly found: Promise<boolean>; readonly since: Instant };

/**
 * Whether an uplink carries macvlans that this daemon did not make: containers of other plugins, virtual machines. What
 * leaves by the uplink itself never reaches them, so they are asked from the pod's interface. Everybody else on this
 * node is known without asking.
 */
export class Strangers {
  readonly #world: World;
  readonly #identities: () => Iterable<LeaseIdentity>;
  /** By uplink, of which a node has a handful. */
  readonly #looks = new Map<number, Look>();

  constructor(world: World, identities: () => Iterable<LeaseIdentity>) {
    this.#world = world;
    this.#identities = identities;
  }

  /** True, too, where the kernel does not say. */
  areOn(uplink: { readonly index: number; readonly name: string }): Promise<boolean> {
    const now = this.#world.clock.now();
    const known = this.#looks.get(uplink.index);
    if (known !== undefined && between(known.since, now) <= LATELY) return known.found;
    for (const [index, { since }] of this.#looks) if (between(since, now) > LATELY) this.#looks.delete(index);
    const found = this.#look(uplink);
    this.#looks.set(uplink.index, { found, since: now });
    return found;
  }

  async #look({ index, name }: { readonly index: number; readonly name: string }): Promise<boolean> {
    let children: readonly Mac[];
    try {
      children = await this.#world.childMacs(index);
    } catch (error) {
      if (!isSysError(error)) throw error;
      return true;
    }
    const own = new Set<Mac>();
    for (const { lan, link } of this.#identities()) if (lan?.index === index) own.add(link.mac);
    const world = this.#world;
    const shim = world.shimOn(index)?.mac;
    return children.some((mac) => mac !== shim && !own.has(mac) && !world.isPodMac(mac, name));
  }
}
