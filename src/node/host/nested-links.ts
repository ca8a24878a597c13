import type { Ipv4 } from '../../base/ipv4.ts';
import type { Mac } from '../../base/mac.ts';
import { isSysError } from '../../base/sys-error.ts';
import { type Duration, later, millis, seconds } from '../../base/time.ts';
import type { HostKernel } from './ports.ts';
import { type AttachmentRecord, attachmentText } from './record.ts';
import type { HostWorld } from './world.ts';

/** How often the uplinks are looked at. The kernel tells nobody of macvlans that are made in another namespace. */
const ROUND: Duration = seconds(20);
/** Pods whose interfaces are read in one turn of the loop: some 0.3 ms each. */
const SLICE = 16;
const BETWEEN_SLICES: Duration = millis(2);
/** Of one uplink; whoever makes more of them is named by these. */
const MOST_NAMED = 16;

/** A pod on an uplink of the node. */
export type PodOnUplink = Pick<AttachmentRecord, 'key' | 'netns' | 'mac' | 'uplink'>;

/** An interface in a pod's namespace. */
export type PodLink = {
  readonly name: string;
  readonly mac?: Mac | undefined;
  /** Of a macvlan. */
  readonly macvlanMode?: string | undefined;
};

export interface NestedLinksKernel extends Pick<HostKernel, 'peek' | 'links' | 'neighbours'> {
  /**
   * The unicast MAC addresses whose frames an interface takes beside its own: those of all macvlans on it that are up, in
   * whatever namespace. Rejects with SysError.
   */
  childMacs(index: number): Promise<readonly Mac[]>;
  /** Rejects with SysError: ENOENT when this namespace is gone, E2BIG when it has very many. */
  podLinks(netns: PodOnUplink['netns']): Promise<readonly PodLink[]>;
}

/** Something on an uplink that is no interface of a pod as it was attached, and none of the node. */
export type NestedLink = {
  readonly uplink: string;
  readonly mac: Mac;
  /** Whose it is: the attachment of a pod, and the interface's name there. Undefined: of none of our pods. */
  readonly pod: string | undefined;
  readonly ifname: string | undefined;
  readonly macvlanMode: string | undefined;
  /** The pod is gone, and this is the interface that it was attached by, in another namespace. */
  readonly ended: boolean;
  /** A host of the LAN has the same MAC address, as the node sees it: pods that send to that host reach this instead. */
  readonly takes: Ipv4 | undefined;
};

type NestedLinksWorld = Pick<HostWorld, 'clock' | 'timers' | 'log' | 'count'> & {
  readonly kernel: NestedLinksKernel;
  /** All pods on uplinks of this node. */
  pods(): readonly PodOnUplink[];
  /** Pods that are gone while their interface was seen to live on. */
  ended(): readonly Omit<PodOnUplink, 'netns'>[];
};

/**
 * Finds what pods with NET_ADMIN have made for themselves on an uplink, or turned their interface into. A macvlan that is
 * made on a pod's interface stands beside it on the uplink (macvlan_common_newlink), with any MAC address and mode, and
 * no hook of the node sees what siblings then send to it. The kernel cannot be made to refuse that; it can be seen.
 */
export class NestedLinks {
  readonly #world: NestedLinksWorld;
  /** By uplink: what was strange at its last look, and what that turned out to be. */
  readonly #known = new Map<string, { readonly macs: string; readonly links: readonly NestedLink[] }>();
  #cancel: (() => void) | undefined;
  #closed = false;

  constructor(world: NestedLinksWorld) {
    this.#world = world;
  }

  /** As of the last look: those in pods, and those that have the MAC address of a host of the LAN. */
  get found(): readonly NestedLink[] {
    return [...this.#known.values()].flatMap(({ links }) => links);
  }

  /** From now on, every now and then. */
  start(): void {
    if (this.#closed) return;
    const { timers, clock } = this.#world;
    this.#cancel = timers.at(later(clock.now(), ROUND), () => void this.look().then(() => this.start()));
  }

  /** Never rejects: what cannot be looked at is left for the next time. */
  async look(): Promise<void> {
    const pods = this.#world.pods();
    const uplinks = new Set([...pods, ...this.#world.ended()].map(({ uplink }) => uplink));
    for (const gone of [...this.#known.keys()].filter((name) => !uplinks.has(name))) this.#known.delete(gone);
    for (const uplink of uplinks) {
      try {
        await this.#lookAt(uplink, pods);
      } catch (error) {
        if (!isSysError(error)) throw error;
        this.#world.count('nested-links-unseen');
      }
    }
  }

  async #lookAt(uplink: string, pods: readonly PodOnUplink[]): Promise<void> {
    const { kernel } = this.#world;
    const index = kernel.peek(uplink)?.index;
    if (index === undefined) return;
    const children = await kernel.childMacs(index);
    const own = new Set(pods.map(({ mac }) => mac));
    let strange = children.filter((mac) => !own.has(mac));
    if (strange.length > 0) {
      const here = new Set((await kernel.links()).map(({ mac }) => mac));
      strange = strange.filter((mac) => !here.has(mac));
    }
    const ended = new Set(this.#world.ended().map(({ mac }) => mac));
    const macs = strange
      .toSorted()
      .map((mac) => (ended.has(mac) ? `${mac} ended` : mac))
      .join(' ');
    if (macs === (this.#known.get(uplink)?.macs ?? '')) return;
    const links = await this.#name(uplink, index, new Set(strange.slice(0, MOST_NAMED)));
    const before = new Set(this.#known.get(uplink)?.links.map(textOf));
    this.#known.set(uplink, { macs, links });
    for (const link of links) if (!before.has(textOf(link))) this.#say(link);
  }

  /** Whose each is. One that is in no pod of ours, and takes nobody's place, is a macvlan of somebody else. */
  async #name(uplink: string, index: number, macs: ReadonlySet<Mac>): Promise<readonly NestedLink[]> {
    if (macs.size === 0) return [];
    const holders = await this.#holders(macs);
    const neighbours = await this.#world.kernel.neighbours(index);
    const ended = this.#world.ended();
    return [...macs].flatMap((mac): readonly NestedLink[] => {
      const holder = holders.get(mac);
      const takes = neighbours.find((neighbour) => neighbour.mac === mac)?.address;
      const gone = holder === undefined ? ended.find((one) => one.mac === mac) : undefined;
      const { key } = gone ?? {};
      if (holder === undefined && key === undefined && takes === undefined) return [];
      const pod = holder?.pod ?? (key && attachmentText(key));
      const ifname = holder?.link.name ?? key?.ifname;
      const { macvlanMode } = holder?.link ?? {};
      return [{ uplink, mac, pod, ifname, macvlanMode, ended: key !== undefined, takes }];
    });
  }

  async #holders(
    macs: ReadonlySet<Mac>,
  ): Promise<ReadonlyMap<Mac, { readonly pod: string; readonly link: PodLink }>> {
    const found = new Map<Mac, { readonly pod: string; readonly link: PodLink }>();
    for (const [at, { key, netns }] of this.#world.pods().entries()) {
      if (this.#closed || found.size === macs.size) break;
      if (at > 0 && at % SLICE === 0) await this.#pause();
      for (const link of await this.#linksOf(netns)) {
        if (link.mac !== undefined && macs.has(link.mac))
          found.set(link.mac, { pod: attachmentText(key), link });
      }
    }
    return found;
  }

  async #linksOf(netns: PodOnUplink['netns']): Promise<readonly PodLink[]> {
    try {
      return await this.#world.kernel.podLinks(netns);
    } catch (error) {
      if (!isSysError(error)) throw error;
      return [];
    }
  }

  #say({ uplink, mac, pod, ifname, macvlanMode, ended, takes }: NestedLink): void {
    const { log, count } = this.#world;
    const fields = { uplink, mac, pod: pod ?? 'unknown', ifname, macvlanMode };
    count('nested-link');
    if (takes === undefined) {
      const text = ended
        ? 'the interface of a pod that is gone is up in another namespace: it can be anybody on the LAN'
        : 'a pod has an interface on the uplink that has no lease here: it can be anybody on the LAN';
      log.info(fields, text);
      return;
    }
    count('mac-of-lan-host-taken');
    log.error(
      { ...fields, address: takes },
      'an interface beside the pods has the MAC address of a host of the LAN: what pods send to that host goes there',
    );
  }

  #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { timers, clock } = this.#world;
    this.#cancel = timers.at(later(clock.now(), BETWEEN_SLICES), resolve);
    return promise;
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }
}

function textOf({ mac, pod, ifname, takes }: NestedLink): string {
  return [mac, pod, ifname, takes].join(' ');
}
