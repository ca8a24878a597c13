import type { Ipv4 } from '../base/ipv4.ts';
import { isSysError, type SysError } from '../base/sys-error.ts';
import { announcement, gratuitousReply } from '../protocol/acd4/packets.ts';
import { emitArpToAll } from '../wire/arp.ts';
import { openPodOf } from './pod-of-lease.ts';
import type { LeaseWorld } from './ports.ts';
import { keyText, type LeaseIdentity } from './record.ts';

type World = Pick<LeaseWorld, 'clock' | 'openPod' | 'frames' | 'shimOn' | 'count' | 'log'>;

/**
 * Says that a pod has its address now (RFC 5227 2.3), to whoever may remember that somebody else had it: the LAN at once, by
 * a frame from the uplink; the siblings, which hear nothing from there, in their turn. That is copied to each of them
 * inside the kernel, a quarter of a millisecond with 250, and pods come in hundreds. It leaves by the shim, which is one of
 * them and needs no namespace; where there is none by the pod. (Not by arp_notify: the kernel announces where a MAC address
 * is set, and forgets all neighbours of the interface with that, the permanent ones too.)
 */
export class Announcer {
  readonly #world: World;
  readonly #pace: (work: () => void) => void;

  /** `pace` does something in its turn, or not at all where too much waits: caches heal of themselves in a minute. */
  constructor(world: World, pace: (work: () => void) => void) {
    this.#world = world;
    this.#pace = pace;
  }

  /** Of a pod that has an uplink, and the address on its interface. `isThere`: whether that is still so. */
  announce(identity: LeaseIdentity, address: Ipv4, isThere: () => boolean): void {
    const { uplinkIndex, link } = identity;
    if (uplinkIndex === undefined) return;
    const { frames } = this.#world;
    this.#said(identity, frames.send(uplinkIndex, emitArpToAll(announcement(address, link.mac))));
    this.#pace(() => {
      if (!isThere()) return;
      const frame = emitArpToAll(gratuitousReply(address, link.mac));
      const shim = this.#world.shimOn(uplinkIndex);
      this.#said(
        identity,
        shim === undefined ? this.#byPod(identity, frame) : frames.send(shim.index, frame),
      );
    });
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
}
