import type { Ipv4 } from '../base/ipv4.ts';
import { type Instant, later, millis, seconds } from '../base/time.ts';
import type { FrameTap, LeaseWorld } from './ports.ts';

/** An ADD is over by then, and those that come with it share the change. */
const SOON = millis(100);
/** Between two changes: in a burst of hundreds each would be for one address. */
const CHANGE_EVERY = seconds(1);

type Uplink = {
  /** How often each is watched. */
  readonly addresses: Map<Ipv4, number>;
  /** When the tap was told last. */
  toldAt: Instant | undefined;
  cancelTimer: (() => void) | undefined;
};

/**
 * Which senders' ordinary ARP questions the tap of each uplink lets through: those that claim an address which is looked
 * after here (RFC 5227 2.4: any ARP packet, request or reply). All others of the LAN stay in the kernel. A tap is told
 * within a second, and not while an ADD waits: until then it hears announcements, probes and replies alone.
 */
export class ClaimFilters {
  readonly #world: Pick<LeaseWorld, 'clock' | 'timers'>;
  readonly #tapOf: (uplinkIndex: number) => Pick<FrameTap, 'attached' | 'hearClaims'> | undefined;
  readonly #uplinks = new Map<number, Uplink>();

  constructor(
    world: Pick<LeaseWorld, 'clock' | 'timers'>,
    tapOf: (uplinkIndex: number) => Pick<FrameTap, 'attached' | 'hearClaims'> | undefined,
  ) {
    this.#world = world;
    this.#tapOf = tapOf;
  }

  /** Returns what ends it; a second time does nothing. */
  add(uplinkIndex: number, address: Ipv4): () => void {
    const uplink = this.#uplinks.get(uplinkIndex) ?? newUplink();
    this.#uplinks.set(uplinkIndex, uplink);
    const { addresses } = uplink;
    const times = addresses.get(address) ?? 0;
    addresses.set(address, times + 1);
    if (times === 0) this.#changed(uplinkIndex, uplink);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      const left = (addresses.get(address) ?? 1) - 1;
      if (left > 0) {
        addresses.set(address, left);
        return;
      }
      addresses.delete(address);
      if (this.#uplinks.get(uplinkIndex) === uplink) this.#changed(uplinkIndex, uplink);
    };
  }

  /** A new tap of this uplink, which knows of no address. */
  opened(uplinkIndex: number): void {
    const uplink = this.#uplinks.get(uplinkIndex);
    if (uplink !== undefined) this.#changed(uplinkIndex, uplink);
  }

  #changed(uplinkIndex: number, uplink: Uplink): void {
    if (uplink.cancelTimer !== undefined) return;
    const now = this.#world.clock.now();
    const soon = later(now, SOON);
    const next = uplink.toldAt === undefined ? soon : later(uplink.toldAt, CHANGE_EVERY);
    uplink.cancelTimer = this.#world.timers.at(next > soon ? next : soon, () => {
      uplink.cancelTimer = undefined;
      this.#tell(uplinkIndex, uplink);
    });
  }

  #tell(uplinkIndex: number, uplink: Uplink): void {
    const tap = this.#tapOf(uplinkIndex);
    const isThere = tap?.attached() ?? false;
    if (isThere) tap?.hearClaims([...uplink.addresses.keys()]);
    uplink.toldAt = this.#world.clock.now();
    // An uplink that is gone does not come back with its index, and one without pods has been told so.
    if (uplink.addresses.size === 0) this.#uplinks.delete(uplinkIndex);
  }

  close(): void {
    for (const { cancelTimer } of this.#uplinks.values()) cancelTimer?.();
    this.#uplinks.clear();
  }
}

function newUplink(): Uplink {
  return { addresses: new Map(), toldAt: undefined, cancelTimer: undefined };
}
