import { type Cidr, cidrContains } from '../../base/cidr.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import { earliest, type Instant, later } from '../../base/time.ts';
import { HOST_PREFIX } from './plan.ts';
import type { HostAddress } from './ports.ts';
import { distinct } from './service-networks.ts';
import { ADDRESS_GRACE } from './world.ts';

/** An uplink with more addresses than that is somebody's load balancer: those beyond are not put on the shim. */
const MOST_ADDRESSES = 64;
const SCOPE_GLOBAL = 0;

type Gone = { readonly cidr: Cidr<Ipv4>; readonly until: Instant };

/**
 * The node's addresses on one uplink. One that disappears is kept for a moment: a DHCP client that flushes the interface
 * and sets the same address again must not cut what runs through the shim.
 */
export class NodeAddresses {
  #current: readonly Cidr<Ipv4>[] = [];
  /** Those that went, with the moment at which they are given up. */
  readonly #gone = new Map<Ipv4, Gone>();
  #source: Ipv4 | undefined;

  /** What the uplink has now, in the kernel's order, and the pods on it. */
  update(addresses: readonly HostAddress[], now: Instant, pods: Iterable<Ipv4> = []): void {
    const own = addresses.filter(({ scope }) => scope === SCOPE_GLOBAL);
    // The kernel lists the addresses of a network in the order in which they came: the first speaks for the node.
    const sorted = own.toSorted((a, b) => Number(a.secondary) - Number(b.secondary));
    const current = sorted.map(({ cidr }) => cidr).slice(0, MOST_ADDRESSES);
    const there = new Set(current.map(({ address }) => address));
    const fresh = there.difference(new Set(this.wanted));
    for (const cidr of this.#current) {
      if (there.has(cidr.address)) continue;
      this.#gone.set(cidr.address, { cidr, until: later(now, ADDRESS_GRACE) });
    }
    for (const address of there) this.#gone.delete(address);
    this.#current = current;
    for (const [address, { until }] of this.#gone) if (until <= now) this.#gone.delete(address);
    this.#source = this.#bestSource([...pods], fresh);
  }

  /**
   * One in a network of the pods, before one of another network, before a single address, which is mostly a virtual one
   * that moves to other nodes. Of equals the one of before, for a change of it cuts what runs; when that went, one that
   * came in its place.
   */
  #bestSource(pods: readonly Ipv4[], fresh: ReadonlySet<Ipv4>): Ipv4 | undefined {
    const former = this.#source;
    const isGone = former !== undefined && this.#gone.has(former);
    const all = [...this.#current, ...[...this.#gone.values()].map(({ cidr }) => cidr)];
    const ranked = all.map((one) => ({
      address: one.address,
      network: networkRank(one, pods),
      before: isGone && fresh.has(one.address) ? 0 : one.address === former ? 1 : 2,
    }));
    return ranked.toSorted((a, b) => a.network - b.network || a.before - b.before)[0]?.address;
  }

  /** What the shim has to have. */
  get wanted(): readonly Ipv4[] {
    return [...new Set([...this.current, ...this.#gone.keys()])];
  }

  /** The address that the node speaks to pods with. */
  get source(): Ipv4 | undefined {
    return this.#source;
  }

  /** What the uplink really has. */
  get current(): readonly Ipv4[] {
    return this.#current.map(({ address }) => address);
  }

  /** Those in which pods may be: of an address that went a moment ago, too. */
  get networks(): readonly Cidr<Ipv4>[] {
    const all = [...this.#current, ...[...this.#gone.values()].map(({ cidr }) => cidr)];
    return distinct(all.filter(({ prefix }) => prefix < HOST_PREFIX));
  }

  /** When the next of those that went is given up. */
  get nextEnd(): Instant | undefined {
    const [first, ...others] = [...this.#gone.values()].map(({ until }) => until);
    return first === undefined ? undefined : earliest(first, ...others);
  }
}

/** The lower the better. */
function networkRank(one: Cidr<Ipv4>, pods: readonly Ipv4[]): number {
  if (one.prefix === HOST_PREFIX) return 2;
  return pods.some((pod) => cidrContains(one, pod)) ? 0 : 1;
}
