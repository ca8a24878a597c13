import { between, type Duration, type Instant, seconds } from '../../base/time.ts';
import type { NodeLan } from './node-lan.ts';
import { type HostLink, type InterfaceNotice, RTPROT_LEASEHOLD } from './ports.ts';
import type { HostWorld } from './world.ts';

/** The kernel says nothing of some ends of routes (those of a nexthop object): what is older than that is read anew. */
const FRESH: Duration = seconds(1);
/** What was fresh when an ADD began is good for it, unless its server is slow. */
const GOOD: Duration = seconds(2);
/** A node has fewer; those of containers are in other namespaces. */
const MOST_LINKS = 1024;

type Flags = Pick<HostLink, 'name' | 'up' | 'lowerUp'>;

/**
 * The node's addresses and routes. They are read once for many pods: what was read counts for as long as the kernel tells of
 * no change, and all that it has told is heard before that is decided.
 */
export class LanView {
  readonly #world: Pick<HostWorld, 'clock' | 'kernel' | 'hearNow'>;
  readonly #onRead: () => void;
  #lan: NodeLan = { addresses: [], routes: [] };
  #changes = 0;
  /** The last reading: when it began, and the changes by then. */
  #read: { readonly at: Instant; readonly changes: number } | undefined;
  #reading: Promise<NodeLan> | undefined;
  #next: Promise<NodeLan> | undefined;
  /** What was said of each interface last. */
  readonly #links = new Map<number, Flags>();

  /** `onRead`: after each reading, before those who wait for it go on. */
  constructor(world: Pick<HostWorld, 'clock' | 'kernel' | 'hearNow'>, onRead: () => void) {
    this.#world = world;
    this.#onRead = onRead;
  }

  /** What the node's kernel had at the last reading. */
  get lan(): NodeLan {
    return this.#lan;
  }

  /** It is read soon, unless it was a moment ago. For who needs it in a moment. Never rejects. */
  begin(): void {
    if (this.#isCurrent(FRESH) || this.#reading !== undefined) return;
    // Whoever needs it reads again, and hears why that fails.
    this.read().catch(() => undefined);
  }

  /** What the node's kernel has now. Rejects with SysError. */
  async now(): Promise<void> {
    if (!this.#isCurrent(GOOD)) await this.read();
  }

  #isCurrent(within: Duration): boolean {
    if (!this.#world.hearNow() || this.#read === undefined) return false;
    const { at, changes } = this.#read;
    return changes === this.#changes && between(at, this.#world.clock.now()) <= within;
  }

  /** Those who come while it is read share the next reading. Rejects with SysError. */
  read(): Promise<NodeLan> {
    if (this.#reading === undefined) {
      this.#reading = this.#readNow().finally(() => {
        this.#reading = undefined;
      });
      return this.#reading;
    }
    this.#next ??= this.#reading.then(
      () => this.#readNext(),
      () => this.#readNext(),
    );
    return this.#next;
  }

  #readNext(): Promise<NodeLan> {
    this.#next = undefined;
    return this.read();
  }

  async #readNow(): Promise<NodeLan> {
    const { kernel, clock } = this.#world;
    const begun = { at: clock.now(), changes: this.#changes };
    const [addresses, all] = await Promise.all([kernel.addresses(), kernel.allRoutes()]);
    // One for each pod, which nobody is judged by. With a gateway it is somebody else's who speaks in our name.
    const routes = all.filter((one) => one.protocol !== RTPROT_LEASEHOLD || one.gateway !== undefined);
    this.#lan = { addresses, routes };
    this.#read = begun;
    this.#onRead();
    return this.#lan;
  }

  /** Something changed on the node. */
  notice(notice: InterfaceNotice): void {
    if (this.#matters(notice)) this.#changes += 1;
  }

  /** Notices were lost. */
  lost(): void {
    this.#changes += 1;
  }

  #matters(notice: InterfaceNotice): boolean {
    switch (notice.kind) {
      case 'address':
      case 'dead-end':
        return true;
      case 'route':
        return notice.protocol !== RTPROT_LEASEHOLD || notice.gateway !== undefined;
      case 'link':
        return this.#isNew(notice);
      default:
        return false;
    }
  }

  /** Routes go with a link in silence. For each macvlan that comes or goes the kernel tells of its uplink, which is as it was. */
  #isNew({ gone, index, name, up, lowerUp }: Extract<InterfaceNotice, { kind: 'link' }>): boolean {
    const before = this.#links.get(index);
    if (gone) this.#links.delete(index);
    else {
      if (this.#links.size >= MOST_LINKS) this.#links.clear();
      this.#links.set(index, { name, up, lowerUp });
    }
    return gone || before?.name !== name || before.up !== up || before.lowerUp !== lowerUp;
  }
}
