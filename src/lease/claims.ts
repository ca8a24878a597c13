import type { Ipv4 } from '../base/ipv4.ts';
import type { Mac } from '../base/mac.ts';
import type { Objection } from '../protocol/dhcp4/step.ts';
import type { LeaseClient } from './client.ts';
import { ConflictMemory } from './conflict-memory.ts';
import type { LeaseWorld } from './ports.ts';
import { keyText } from './record.ts';
import { isSameToServer } from './sharing.ts';
import { locate } from './take-up.ts';

type World = Pick<LeaseWorld, 'clock' | 'openPod' | 'namespaceAt' | 'holderOnNode'>;

/**
 * Which addresses no client may take: those that are spoken for on this node (its own, its router's, those of its other
 * pods), wherever they come from, and those that another host of the LAN was seen with. The first claim wins.
 */
export class Claims {
  readonly #world: World;
  readonly #clients: () => Iterable<LeaseClient>;
  readonly #conflicts: ConflictMemory;

  constructor(world: World, clients: () => Iterable<LeaseClient>) {
    this.#world = world;
    this.#clients = clients;
    this.#conflicts = new ConflictMemory(world.clock);
  }

  /** Why `client` must not take the address, which it does not have; undefined: it may. */
  objectionTo(address: Ipv4, client: LeaseClient): Objection | undefined {
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
  #siblingWith(address: Ipv4, but: LeaseClient): LeaseClient | undefined {
    for (const one of this.#clients()) {
      if (one === but || !one.claims(address)) continue;
      const { lan, link } = one.identity;
      if (lan === undefined || lan.name !== but.identity.lan?.name) continue;
      // Two links of one MAC cannot be on an uplink: it is the same pod, made anew.
      if (link.mac !== but.identity.link.mac && this.#isThere(one)) return one;
    }
    return undefined;
  }

  /** A pod that went without a DEL keeps nobody from its address, not even until that is noticed. */
  #isThere(client: LeaseClient): boolean {
    const { kind } = locate(this.#world, client.record());
    return kind !== 'namespace-gone' && kind !== 'rebooted';
  }

  /** Another host was seen with the address that `client` has or was about to have. */
  conflicted(address: Ipv4, client: LeaseClient, by: Mac): void {
    this.#conflicts.note(client.identity, address, by);
  }
}
