import type { Cidr } from '../../base/cidr.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import type { Mac } from '../../base/mac.ts';
import { isSysError, SysError } from '../../base/sys-error.ts';
import { nextTurn } from './next-turn.ts';
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
  #isTakenUp = false;
  /** Its ADD is under way: the namespace is open, and nothing of ours is there that might have to go. */
  #new: { readonly index: number; readonly pod: PodSidePort } | undefined;
  /** Said by the kernel. */
  #lastHopUnsupported = false;

  constructor(world: HostWorld, record: AttachmentRecord) {
    this.#world = world;
    this.#record = record;
  }

  /** A pod of an earlier run: its tables are there. Nobody looks before the first `apply`. */
  takeUp(): void {
    this.#isTakenUp = true;
  }

  /** Rejects with SysError. A kernel without nftables has no last hop: that is said, and no error. */
  apply(wanted: PodSideWanted): Promise<void> {
    const done = this.#tail.then(() =>
      this.#new === undefined ? this.#inPod((pod) => this.#put(pod, wanted)) : this.#putNew(wanted),
    );
    this.#tail = done.catch(() => undefined);
    return done;
  }

  /**
   * Makes the last hop of a new interface while its address is asked for. Not the way to the services: when the address
   * is announced the kernel forgets all neighbours of the interface (neigh_changeaddr). What fails is done by `apply`.
   * `pod` is closed after that, or by `remove`.
   */
  begin(index: number, pod: PodSidePort): void {
    this.#new = { index, pod };
    // First the caller asks for the address.
    this.#tail = nextTurn()
      .then(() => this.#addLastHop(pod, index))
      .catch(() => undefined);
  }

  async #putNew({ networks, shimMac }: PodSideWanted): Promise<void> {
    try {
      if (this.#new === undefined) return;
      const { index, pod } = this.#new;
      await pod.addServices(index, networks, shimMac);
      await this.#addLastHop(pod, index);
    } finally {
      this.#letGo();
    }
  }

  #letGo(): void {
    this.#new?.pod.close();
    this.#new = undefined;
  }

  /** As `apply`; also puts back a last hop that others removed, switched off or changed. Rejects with SysError. */
  mend(wanted: PodSideWanted): Promise<void> {
    const done = this.#tail.then(() =>
      this.#inPod(async (pod) => {
        const { ifname } = this.#record.key;
        if ((await this.#lastHopProblem(pod)) !== undefined) {
          this.#lastHopOn = undefined;
          this.#isTakenUp = false;
          await pod.removeLastHop(ifname);
        }
        await this.#put(pod, wanted);
      }),
    );
    this.#tail = done.catch(() => undefined);
    return done;
  }

  /** What is missing or wrong in the pod, one short text each; changes nothing. Never rejects for what the kernel says. */
  async problems({ networks, shimMac }: PodSideWanted): Promise<readonly string[]> {
    await this.#tail;
    const found: string[] = [];
    try {
      await this.#inPod(async (pod) => {
        found.push(...(await pod.serviceProblems(this.#linkIn(pod), networks, shimMac)));
        const lastHop = await this.#lastHopProblem(pod);
        if (lastHop !== undefined) found.push(lastHop);
      });
    } catch (error) {
      if (!isSysError(error)) throw error;
      found.push(error.message);
    }
    return found;
  }

  async #lastHopProblem(pod: PodSidePort): Promise<string | undefined> {
    if (!this.#record.lastHop || this.#lastHopUnsupported) return undefined;
    return await pod.lastHopProblem(this.#record.key.ifname);
  }

  async #put(pod: PodSidePort, { networks, shimMac }: PodSideWanted): Promise<void> {
    const index = this.#linkIn(pod);
    if (this.#isTakenUp) this.#lastHopOn = index;
    this.#isTakenUp = false;
    await pod.setServices(index, networks, shimMac);
    await this.#setLastHop(pod, index);
  }

  #linkIn(pod: PodSidePort): number {
    const { ifname } = this.#record.key;
    const link = pod.peek(ifname);
    if (link !== undefined) return link.index;
    throw new SysError(`look at ${ifname}`, 'ENODEV', 'the interface is gone');
  }

  #setLastHop(pod: PodSidePort, index: number): Promise<void> {
    return this.#haveLastHop(index, () => pod.setLastHop(index, this.#record.key.ifname));
  }

  #addLastHop(pod: PodSidePort, index: number): Promise<void> {
    return this.#haveLastHop(index, () => pod.addLastHop(this.#record.key.ifname));
  }

  async #haveLastHop(index: number, make: () => Promise<void>): Promise<void> {
    if (!this.#record.lastHop || this.#lastHopOn === index) return;
    try {
      await make();
      this.#lastHopOn = index;
    } catch (error) {
      if (!isSysError(error, 'EOPNOTSUPP', 'ENOENT')) throw error;
      this.#lastHopOn = index;
      this.#lastHopUnsupported = true;
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
    this.#letGo();
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
