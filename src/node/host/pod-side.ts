import type { Cidr } from '../../base/cidr.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import type { Mac } from '../../base/mac.ts';
import { isSysError, SysError } from '../../base/sys-error.ts';
import type { PodSidePort } from './ports.ts';
import { attachmentText, type AttachmentRecord } from './record.ts';
import type { HostWorld } from './world.ts';

/** What a pod's own namespace gets for one of its interfaces. */
export type PodSideWanted = {
  readonly networks: readonly Cidr<Ipv4>[];
  readonly shimMac: Mac;
};

/**
 * The pod's part of one attachment: routes to the services, and the last hop. One thing after another, because what a
 * slower call finds out must not undo a later one.
 */
export class PodSide {
  readonly #world: HostWorld;
  readonly #record: AttachmentRecord;
  #tail: Promise<void> = Promise.resolve();
  /** The interface that has its last hop: made again under its uplink, it is another one. */
  #lastHopOn: number | undefined;

  constructor(world: HostWorld, record: AttachmentRecord) {
    this.#world = world;
    this.#record = record;
  }

  /** A pod of an earlier run: its tables are there. Throws no error for a pod that is gone. */
  takeUp(): void {
    try {
      this.#inPod((pod) => {
        this.#lastHopOn = pod.peek(this.#record.key.ifname)?.index;
        return Promise.resolve();
      }).catch(() => undefined);
    } catch (error) {
      if (!isSysError(error)) throw error;
    }
  }

  /** Rejects with SysError. A kernel without nftables has no last hop: that is said, and no error. */
  apply(wanted: PodSideWanted): Promise<void> {
    const done = this.#tail.then(() => this.#inPod((pod) => this.#put(pod, wanted)));
    this.#tail = done.catch(() => undefined);
    return done;
  }

  /** Begins with what needs no address, while that is asked for. What fails is done again by `apply`, and said then. */
  begin(): void {
    this.#tail = this.#tail
      .then(() => this.#inPod((pod) => this.#setLastHop(pod, this.#linkIn(pod))))
      .catch(() => undefined);
  }

  async #put(pod: PodSidePort, { networks, shimMac }: PodSideWanted): Promise<void> {
    const index = this.#linkIn(pod);
    await pod.setServices(index, networks, shimMac);
    await this.#setLastHop(pod, index);
  }

  #linkIn(pod: PodSidePort): number {
    const { ifname } = this.#record.key;
    const link = pod.peek(ifname);
    if (link !== undefined) return link.index;
    throw new SysError(`look at ${ifname}`, 'ENODEV', 'the interface is gone');
  }

  async #setLastHop(pod: PodSidePort, index: number): Promise<void> {
    if (!this.#record.lastHop || this.#lastHopOn === index) return;
    try {
      await pod.setLastHop(index, this.#record.key.ifname);
      this.#lastHopOn = index;
    } catch (error) {
      if (!isSysError(error, 'EOPNOTSUPP', 'ENOENT')) throw error;
      this.#lastHopOn = index;
      this.#world.count('last-hop-unsupported');
      this.#world.log.warn(
        { attachment: attachmentText(this.#record.key), error: error.message },
        'this kernel cannot send replies back by the way that a connection came',
      );
    }
  }

  /** Best effort: the namespace mostly goes with all of it. */
  async remove(): Promise<void> {
    await this.#tail;
    if (!this.#record.lastHop) return;
    try {
      await this.#inPod((pod) => pod.removeLastHop(this.#record.key.ifname));
    } catch (error) {
      if (!isSysError(error)) throw error;
    }
  }

  async #inPod(work: (pod: PodSidePort) => Promise<void>): Promise<void> {
    const { path, inode } = this.#record.netns;
    const pod = this.#world.openPodSide(path);
    try {
      if (pod.inode !== inode) throw new SysError(`open ${path}`, 'ENOENT', 'another namespace is there');
      await work(pod);
    } finally {
      pod.close();
    }
  }
}
