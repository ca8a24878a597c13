import type { Ipv4 } from '../base/ipv4.ts';
import { BROADCAST_MAC } from '../base/mac.ts';
import { isSysError } from '../base/sys-error.ts';
import { announcement } from '../protocol/acd4/packets.ts';
import { emitArpFrame } from '../wire/arp.ts';
import { openPodOf } from './pod-of-lease.ts';
import type { LeaseWorld } from './ports.ts';
import { keyText, type LeaseIdentity } from './record.ts';

type World = Pick<LeaseWorld, 'clock' | 'openPod' | 'frames' | 'count' | 'log'>;

/**
 * Says that a pod has its address now (RFC 5227 2.3), to whoever may remember that somebody else had it: the LAN at once, by
 * a frame from the uplink; the siblings, which hear nothing from there, by the pod's own kernel and in their turn. That is
 * copied to each of them inside the kernel, a quarter of a millisecond with 250, and pods come in hundreds.
 */
export class Announcer {
  readonly #world: World;
  readonly #pace: (work: () => void) => void;

  /** `pace` does something in its turn, or not at all where too much waits: caches heal of themselves in a minute. */
  constructor(world: World, pace: (work: () => void) => void) {
    this.#world = world;
    this.#pace = pace;
  }

  /** Of a pod that has an uplink, and the address on its interface. */
  announce(identity: LeaseIdentity, address: Ipv4): void {
    const { uplinkIndex, link } = identity;
    if (uplinkIndex === undefined) return;
    const frame = emitArpFrame(link.mac, BROADCAST_MAC, announcement(address, link.mac));
    if (this.#world.frames.send(uplinkIndex, frame) !== undefined) this.#world.count('announcement-failed');
    this.#pace(() => void this.#toSiblings(identity));
  }

  async #toSiblings(identity: LeaseIdentity): Promise<void> {
    const { index, mac } = identity.link;
    try {
      const pod = openPodOf(this.#world, identity);
      try {
        await pod.announce(index, mac);
      } finally {
        pod.close();
      }
    } catch (error) {
      if (!isSysError(error)) throw error;
      // Most likely the pod has gone before its turn.
      this.#world.count('announcement-failed');
      this.#world.log.debug(
        { lease: keyText(identity.key), error: error.message },
        'the address of a pod was not announced to its siblings',
      );
    }
  }
}
