import { isSysError } from '../base/sys-error.ts';
import type { LeaseClient } from './client.ts';
import { lookAt } from './host-release.ts';
import type { LanChange } from './lans.ts';
import type { Pacer } from './pacer.ts';
import type { LeaseWorld, LinkMaker } from './ports.ts';
import { keyText, type LeaseIdentity } from './record.ts';
import { locate } from './take-up.ts';

const PACER_KIND = 'relink';

/** What is needed of who has the leases. */
export interface RelinkOwner {
  clients(): Iterable<LeaseClient>;
  has(client: LeaseClient): boolean;
  replace(client: LeaseClient, identity: LeaseIdentity): Promise<LeaseClient>;
  releaseFromHost(client: LeaseClient, why: string): Promise<void>;
  /** Hears the answers on this uplink from now on. */
  listen(uplinkIndex: number, lease: string): void;
}

type Uplink = { readonly index: number; readonly mtu: number };

/** Where the uplink of a link that is gone is. `in-place`: it never went, so that somebody removed the link alone. */
type Sighting =
  | { readonly kind: 'in-place' }
  | { readonly kind: 'away' }
  | { readonly kind: 'back'; readonly uplink: Uplink };

/**
 * Makes links again that went away with their uplink: the kernel removes a macvlan with the device below it, and a USB
 * adapter that is plugged in again is another device of the same name. The lease is kept meanwhile, its timers go on,
 * and what ends is withdrawn as always. Once the uplink is there again with a carrier, the link is made as it was
 * (name, MAC address, mode, MTU), gets the address and routes of its lease, and the server is asked whether the lease
 * is still good. What other plugins of the chain changed on the interface (route-override, tuning) is not done again.
 *
 * One link at a time and attachment, with neither an ADD nor a DEL beside it; all together no faster than the pacer.
 */
export class Relinks {
  readonly #world: LeaseWorld;
  readonly #maker: LinkMaker | undefined;
  readonly #pacer: Pacer;
  readonly #owner: RelinkOwner;
  /** Waits for its turn, or is being made. */
  readonly #underWay = new Set<LeaseClient>();
  /** Why the last attempt failed, so that it is said once. */
  readonly #failures = new WeakMap<LeaseClient, string>();
  /** Uplinks that were missed, by name: said once for all of their pods. */
  readonly #away = new Set<string>();

  constructor(world: LeaseWorld, maker: LinkMaker | undefined, pacer: Pacer, owner: RelinkOwner) {
    this.#world = world;
    this.#maker = maker;
    this.#pacer = pacer;
    this.#owner = owner;
  }

  /**
   * Takes care of a lease whose namespace is there, and whose link is not. False when that is for somebody else: the
   * link was not made here, or its uplink is where it was, so that whoever removed the link meant it.
   */
  attend(client: LeaseClient): boolean {
    if (this.#underWay.has(client)) return true;
    const sighting = this.#sightingOf(client.identity);
    if (sighting.kind === 'in-place') return false;
    if (sighting.kind === 'back') this.#queue(client);
    else this.#missed(client.identity.link.made?.master);
    return true;
  }

  /** An interface of the node changed: perhaps an uplink is back. */
  linkChanged({ index, name, up, lowerUp, removed }: LanChange): void {
    if (this.#maker === undefined || removed || !up || !lowerUp) return;
    for (const client of this.#owner.clients()) {
      const { lan, link } = client.identity;
      if (lan?.index !== index && link.made?.master === name) this.#queue(client);
    }
  }

  #sightingOf({ lan, link }: LeaseIdentity): Sighting {
    const { made } = link;
    if (this.#maker === undefined || made === undefined || lan === undefined || !link.owned)
      return { kind: 'in-place' };
    if (this.#isThere(lan.index)) return { kind: 'in-place' };
    const seen = lookAt(this.#world.frames, made.master);
    // Without a carrier nothing could be asked, and the notice of the carrier comes.
    if (!seen.ok || !seen.value.up || !seen.value.lowerUp) return { kind: 'away' };
    return { kind: 'back', uplink: { index: seen.value.index, mtu: seen.value.mtu } };
  }

  /** What cannot be seen is not taken for there: nothing is given up for it. */
  #isThere(index: number): boolean {
    try {
      return this.#maker?.isThere(index) ?? false;
    } catch (error) {
      if (isSysError(error)) return false;
      throw error;
    }
  }

  #missed(name: string | undefined): void {
    if (name === undefined || this.#away.has(name)) return;
    this.#away.add(name);
    this.#world.log.warn(
      { uplink: name },
      'an uplink was removed, and the interfaces of its pods with it: they are made again when it is back',
    );
  }

  #queue(client: LeaseClient): void {
    if (this.#underWay.has(client)) return;
    this.#underWay.add(client);
    const queued = this.#pacer.add(PACER_KIND, () => void this.#relink(client));
    // Too many wait: the next round asks again.
    if (queued === undefined) this.#underWay.delete(client);
  }

  async #relink(client: LeaseClient): Promise<void> {
    try {
      await this.#maker?.alone(client.identity.key, () => this.#remake(client));
    } catch (error) {
      this.#failed(client, error);
    } finally {
      this.#underWay.delete(client);
    }
  }

  /** Everything is looked at anew: since this was decided there may have been a DEL, or an ADD, or nothing was amiss. */
  async #remake(client: LeaseClient): Promise<void> {
    const { identity } = client;
    const { made } = identity.link;
    if (this.#maker === undefined || made === undefined) return;
    if (!this.#owner.has(client) || !client.settled) return;
    if (locate(this.#world, client.record()).kind !== 'link-gone') return;
    const sighting = this.#sightingOf(identity);
    if (sighting.kind !== 'back') return;
    const { uplink } = sighting;
    const remade = await this.#maker.makeAgain(identity, uplink);
    // The daemon is at its end: the next run finds the link.
    if (!this.#owner.has(client)) return;
    if (remade.kind === 'taken') {
      await this.#giveUp(client, remade.why);
      return;
    }
    this.#away.delete(made.master);
    this.#owner.listen(uplink.index, keyText(identity.key));
    const next = await this.#owner.replace(client, {
      ...identity,
      link: { ...identity.link, index: remade.index },
      uplinkIndex: uplink.index,
      lan: { index: uplink.index, name: made.master },
      config: { ...identity.config, mtu: made.mtu ?? uplink.mtu },
    });
    this.#world.count('link-remade');
    this.#world.log.info(
      { lease: keyText(identity.key), uplink: made.master },
      'the uplink is back: the interface of a pod was made again',
    );
    await next.relinked();
  }

  async #giveUp(client: LeaseClient, why: string): Promise<void> {
    this.#world.count('pod-gone');
    this.#world.log.warn(
      { lease: keyText(client.identity.key), why },
      'the interface of a pod cannot be made again; its lease is released',
    );
    await this.#owner.releaseFromHost(client, why);
  }

  /** It stays as it was, and is tried again in the next round. */
  #failed(client: LeaseClient, error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    this.#world.count(`relink-failed:${isSysError(error) ? error.code : 'fault'}`);
    if (this.#failures.get(client) === text) return;
    this.#failures.set(client, text);
    this.#world.log.warn(
      { lease: keyText(client.identity.key), error: text },
      'the interface of a pod could not be made again yet',
    );
  }
}
