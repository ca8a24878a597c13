import type { Ipv4 } from '../base/ipv4.ts';
import type { Mac } from '../base/mac.ts';
import { isSameToServer } from '../protocol/dhcp4/state.ts';
import type { Objection } from '../protocol/dhcp4/step.ts';
import { ConflictMemory } from './conflict-memory.ts';
import type { LeaseWorld } from './ports.ts';
import { keyText, type LeaseIdentity, type LeaseRecord } from './record.ts';
import { locate } from './take-up.ts';

/** A lease of this node. */
export interface Claimant {
  readonly identity: LeaseIdentity;
  /** Whether nobody else of this node may take the address now. */
  claims(address: Ipv4): boolean;
  record(): LeaseRecord;
}

/** All leases of this node. */
export interface Claimants {
  values(): Iterable<Claimant>;
  withMac(mac: Mac): Iterable<Claimant>;
}

type World = Pick<LeaseWorld, 'clock' | 'openPod' | 'namespaceAt' | 'holderOnNode' | 'isPodMac' | 'shimOn'>;

/**
 * Which addresses no client may take: those that are spoken for on this node (its own, its router's, those of its other
 * pods), wherever they come from, and those that another host of the LAN was seen with. The first claim wins.
 */
export class Claims {
  readonly #world: World;
  readonly #clients: Claimants;
  readonly #conflicts: ConflictMemory;

  constructor(world: World, clients: Claimants) {
    this.#world = world;
    this.#clients = clients;
    this.#conflicts = new ConflictMemory(world.clock);
  }

  /** Why `client` must not take the address, which it does not have; undefined: it may. */
  objectionTo(address: Ipv4, client: Claimant): Objection | undefined {
    const { identity } = client;
    const sibling = this.#siblingWith(address, client);
    if (sibling !== undefined) {
      const holder = `pod ${keyText(sibling.identity.key)} of this node`;
      const tellServer = !isSameToServer(sibling.identity.config, identity.config);
      return { reason: 'held-on-this-node', holder, tellServer };
    }
    const holder = this.#world.holderOnNode(address, identity);
    if (holder !== undefined) return { reason: 'held-on-this-node', holder, tellServer: true };
    // Who looks for no conflicts does not ask for those of others either: on some LANs one machine answers for all.
    const by = identity.conflictCheck === 'off' ? undefined : this.#conflicts.holderOf(identity, address);
    return by === undefined ? undefined : { reason: 'in-conflict', holder: by, tellServer: true };
  }

  /** An address means something within its LAN; where that is not known, two may be the same on two networks. */
  #siblingWith(address: Ipv4, but: Claimant): Claimant | undefined {
    for (const one of this.#clients.values()) {
      if (one === but || !one.claims(address)) continue;
      const { lan, link } = one.identity;
      if (lan === undefined || lan.name !== but.identity.lan?.name) continue;
      // Two links of one MAC cannot be on an uplink: it is the same pod, made anew.
      if (link.mac !== but.identity.link.mac && this.#isThere(one)) return one;
    }
    return undefined;
  }

  /** Whether another pod that this daemon attached, or the node by its shim, has this MAC address on the same uplink. */
  isSibling(address: Mac, { lan, link }: LeaseIdentity): boolean {
    if (lan === undefined || address === link.mac) return false;
    for (const { identity } of this.#clients.withMac(address))
      if (identity.lan?.name === lan.name) return true;
    return this.#world.isPodMac(address, lan.name) || this.#world.shimOn(lan.index)?.mac === address;
  }

  /** A pod that went without a DEL keeps nobody from its address, not even until that is noticed. */
  #isThere(client: Claimant): boolean {
    const { kind } = locate(this.#world, client.record());
    return kind !== 'namespace-gone' && kind !== 'rebooted';
  }

  /** Another host was seen with the address that `client` has or was about to have. */
  conflicted(address: Ipv4, client: Claimant, by: Mac): void {
    this.#conflicts.note(client.identity, address, by);
  }
}
