import type { Ipv4 } from '../../base/ipv4.ts';
import { earliest, type Instant, later } from '../../base/time.ts';
import type { HostAddress } from './ports.ts';
import { ADDRESS_GRACE } from './world.ts';

/** An uplink with more addresses than that is somebody's load balancer: those beyond are not put on the shim. */
const MOST_ADDRESSES = 64;
const SCOPE_GLOBAL = 0;

/**
 * The node's addresses on one uplink. One that disappears is kept for a moment: a DHCP client that flushes the interface
 * and sets the same address again must not cut what runs through the shim.
 */
export class NodeAddresses {
  #current: readonly Ipv4[] = [];
  /** Those that went, with the moment at which they are given up. */
  readonly #gone = new Map<Ipv4, Instant>();

  /** What the uplink has now, in the kernel's order. */
  update(addresses: readonly HostAddress[], now: Instant): void {
    const own = addresses.filter(({ scope }) => scope === SCOPE_GLOBAL);
    // The kernel lists the addresses of a network in the order in which they came: the first speaks for the node.
    const sorted = own.toSorted((a, b) => Number(a.secondary) - Number(b.secondary));
    const current = sorted.map(({ cidr }) => cidr.address).slice(0, MOST_ADDRESSES);
    for (const address of this.#current) {
      if (!current.includes(address)) this.#gone.set(address, later(now, ADDRESS_GRACE));
    }
    for (const address of current) this.#gone.delete(address);
    this.#current = current;
    for (const [address, until] of this.#gone) if (until <= now) this.#gone.delete(address);
  }

  /** What the shim has to have. */
  get wanted(): readonly Ipv4[] {
    return [...this.#current, ...this.#gone.keys()];
  }

  /** The address that the node speaks to pods with. */
  get source(): Ipv4 | undefined {
    return this.wanted[0];
  }

  /** What the uplink really has. */
  get current(): readonly Ipv4[] {
    return this.#current;
  }

  /** When the next of those that went is given up. */
  get nextEnd(): Instant | undefined {
    const [first, ...others] = this.#gone.values();
    return first === undefined ? undefined : earliest(first, ...others);
  }
}
