import type { Ipv4 } from '../base/ipv4.ts';
import { isSysError, type SysError } from '../base/sys-error.ts';
import { later, millis, onGrain } from '../base/time.ts';
import type { Lease4 } from '../protocol/dhcp4/lease.ts';
import { ANNOUNCE_INTERVAL } from '../protocol/acd4/machine.ts';
import { announcement, gratuitousReply } from '../protocol/acd4/packets.ts';
import { emitArpToAll } from '../wire/arp.ts';
import { openPodOf } from './pod-of-lease.ts';
import type { LeaseWorld } from './ports.ts';
import { keyText, type LeaseIdentity, type LeaseKey } from './record.ts';

/** Second announcements may be so late: those of pods that came together cost the loop one wake-up. */
const GRAIN = millis(50);

type World = Pick<LeaseWorld, 'clock' | 'timers' | 'openPod' | 'frames' | 'shimOn' | 'count' | 'log'>;

/** A lease, and what the pod uses of it. */
type Announced = { readonly identity: LeaseIdentity; readonly lease: Lease4 | undefined };

/**
 * Says that a pod has its address now, to whoever may remember that somebody else had it (RFC 5227 2.3): the LAN at once and
 * once more two seconds later, by a frame from the uplink; the siblings, which hear nothing from there, once, in their turn.
 * That is copied to each of them inside the kernel, a quarter of a millisecond with 250, and pods come in hundreds; and
 * nothing is lost on that way. It leaves by the shim, which is one of them and needs no namespace; where there is none by the
 * pod. (Not by arp_notify: the kernel announces where a MAC address is set, and forgets all neighbours of the interface with
 * that, the permanent ones too.) Where the pod has no uplink it says all of it itself.
 */
export class Announcer {
  readonly #world: World;
  readonly #find: (key: LeaseKey) => Announced | undefined;
  readonly #pace: (work: () => void) => void;
  /** Second announcements that are still to be made, by lease. */
  readonly #again = new Map<string, () => void>();

  /** `pace` does something in its turn, or not at all where too much waits: caches heal of themselves in a minute. */
  constructor(
    world: World,
    find: (key: LeaseKey) => Announced | undefined,
    pace: (work: () => void) => void,
  ) {
    this.#world = world;
    this.#find = find;
    this.#pace = pace;
  }

  /** The pod of this lease has its address on its interface now. */
  announce(key: LeaseKey): void {
    const now = this.#find(key);
    const address = now?.lease?.address.address;
    if (now === undefined || address === undefined) return;
    this.#tellLan(now.identity, address);
    this.again(key);
    if (now.identity.uplinkIndex !== undefined)
      this.#pace(() => this.#later(key, address, (identity) => this.#tellSiblings(identity, address)));
  }

  /** The second announcement alone, of an address that the pod's kernel has announced just now. */
  again(key: LeaseKey): void {
    const address = this.#find(key)?.lease?.address.address;
    if (address === undefined) return;
    const { clock, timers } = this.#world;
    const lease = keyText(key);
    this.#again.get(lease)?.();
    const at = onGrain(later(clock.now(), ANNOUNCE_INTERVAL), GRAIN);
    const cancel = timers.at(at, () => {
      this.#again.delete(lease);
      this.#later(key, address, (identity) => this.#tellLan(identity, address));
    });
    this.#again.set(lease, cancel);
  }

  /** Where the pod still has the address. */
  #later(key: LeaseKey, address: Ipv4, say: (identity: LeaseIdentity) => void): void {
    const now = this.#find(key);
    if (now?.lease?.address.address === address) say(now.identity);
  }

  #tellSiblings(identity: LeaseIdentity, address: Ipv4): void {
    const { uplinkIndex, link } = identity;
    const frame = emitArpToAll(gratuitousReply(address, link.mac));
    const shim = uplinkIndex === undefined ? undefined : this.#world.shimOn(uplinkIndex);
    this.#said(
      identity,
      shim === undefined ? this.#byPod(identity, frame) : this.#world.frames.send(shim.index, frame),
    );
  }

  #tellLan(identity: LeaseIdentity, address: Ipv4): void {
    const { uplinkIndex, link } = identity;
    const frame = emitArpToAll(announcement(address, link.mac));
    this.#said(
      identity,
      uplinkIndex === undefined ? this.#byPod(identity, frame) : this.#world.frames.send(uplinkIndex, frame),
    );
  }

  #byPod(identity: LeaseIdentity, frame: Uint8Array): SysError | undefined {
    try {
      const pod = openPodOf(this.#world, identity);
      try {
        return pod.say(identity.link.index, frame);
      } finally {
        pod.close();
      }
    } catch (error) {
      if (!isSysError(error)) throw error;
      return error;
    }
  }

  #said(identity: LeaseIdentity, failed: SysError | undefined): void {
    if (failed === undefined) return;
    this.#world.count('announcement-failed');
    this.#world.log.debug(
      { lease: keyText(identity.key), error: failed.message },
      'the address of a pod was not announced',
    );
  }

  close(): void {
    for (const cancel of this.#again.values()) cancel();
    this.#again.clear();
  }
}
