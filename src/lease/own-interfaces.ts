import type { Mac } from '../base/mac.ts';
import { between, type Instant, seconds } from '../base/time.ts';
import { openPodOf } from './pod-of-lease.ts';
import type { LeaseWorld, PodNamespace } from './ports.ts';
import type { LeaseIdentity } from './record.ts';

/** A pod may have any number of interfaces, with other MAC addresses in each moment: it makes nobody look all the time. */
const LOOK_EVERY = seconds(1);

type World = Pick<LeaseWorld, 'clock' | 'openPod' | 'count'>;

/**
 * Whether a MAC address is one of the pod's own (RFC 5227 2.4: "any of the host's own interface addresses"). Where two of its
 * interfaces are on one LAN, Linux asks by either of them in the name of both (ip-sysctl, arp_announce).
 */
export class OwnInterfaces {
  readonly #world: World;
  readonly #identity: Pick<LeaseIdentity, 'bootId' | 'netns'>;
  /** Those of the last look that found one. */
  #own: readonly Mac[] = [];
  #foundAt: Instant | undefined;

  constructor(world: World, identity: Pick<LeaseIdentity, 'bootId' | 'netns'>) {
    this.#world = world;
    this.#identity = identity;
  }

  /** `pod`: its namespace, where somebody has it open anyway. `unknown`: it was looked a moment ago. Never rejects. */
  async whose(address: Mac, pod: PodNamespace | undefined): Promise<'own' | 'other' | 'unknown'> {
    if (this.#own.includes(address)) return 'own';
    const now = this.#world.clock.now();
    if (this.#foundAt !== undefined && between(this.#foundAt, now) < LOOK_EVERY) return 'unknown';
    const there = await this.#look(pod);
    if (!there.includes(address)) return 'other';
    this.#own = there;
    this.#foundAt = now;
    return 'own';
  }

  /** Who cannot be looked at has none. */
  async #look(open: PodNamespace | undefined): Promise<readonly Mac[]> {
    try {
      const pod = open ?? openPodOf(this.#world, this.#identity);
      try {
        return await pod.macs();
      } finally {
        if (pod !== open) pod.close();
      }
    } catch {
      this.#world.count('own-interfaces-unseen');
      return [];
    }
  }
}
