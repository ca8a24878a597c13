import type { Ipv4 } from '../base/ipv4.ts';
import type { Mac } from '../base/mac.ts';
import type { Held } from '../protocol/dhcp4/state.ts';
import { between, type Instant, seconds } from '../base/time.ts';
import {
  type ArpEars,
  ArpQuestion,
  type Asker,
  listenFor,
  questionPause,
  QUESTIONS,
} from './arp-question.ts';
import { lanOf, nextHop } from './host-release.ts';
import type { LastWay } from './parting.ts';
import type { LeaseWorld, PodNamespace } from './ports.ts';
import type { LeaseRecord } from './record.ts';

/** An answer, and silence, count so long: pods that are deleted together ask once for all. */
const LATELY = seconds(1);
/** A server, or the router to it, for each LAN of the node. */
const MOST_WAYS = 64;

type Way = { readonly mac: Promise<Mac | undefined>; readonly since: Instant };

/**
 * At which Ethernet address the servers are now. A pod's kernel does not know: it sends to the address that it learned
 * once (NUD_STALE), and asks anew only while nothing comes back, when a RELEASE has long been lost.
 */
export class Ways {
  readonly #world: Pick<LeaseWorld, 'clock' | 'timers' | 'frames'>;
  readonly #ears: ArpEars;
  /** Oldest first. */
  readonly #ways = new Map<string, Way>();

  constructor(world: Pick<LeaseWorld, 'clock' | 'timers' | 'frames'>, ears: ArpEars) {
    this.#world = world;
    this.#ears = ears;
  }

  /**
   * Who answers ARP for this address on this LAN, now or within the last second: one question for all who want to
   * know. Undefined when nobody does within 300 ms, or the question cannot be sent. Never rejects for what the kernel
   * says.
   */
  macOf(asker: Asker, address: Ipv4): Promise<Mac | undefined> {
    const key = `${asker.index} ${address}`;
    const now = this.#world.clock.now();
    const known = this.#ways.get(key);
    if (known !== undefined && between(known.since, now) <= LATELY) return known.mac;
    this.#ways.delete(key);
    for (const oldest of this.#ways.keys()) {
      if (this.#ways.size < MOST_WAYS) break;
      this.#ways.delete(oldest);
    }
    const mac = this.#ask(asker, address);
    this.#ways.set(key, { mac, since: now });
    return mac;
  }

  /** By which machine a pod's RELEASE goes, for `partFrom`; undefined where the LAN is not reached from the host. */
  lastWayOf(pod: PodNamespace, record: LeaseRecord, held: Held): LastWay | undefined {
    const { lan, link } = record;
    if (lan === undefined) return undefined;
    const hop = nextHop({ record, held });
    const reached = lanOf(this.#world, { record, lan });
    return {
      // Without a router nobody can say by which way the pod reaches a server outside its network.
      hop: hop ?? held.serverId,
      known: () => (hop === undefined ? undefined : pod.neighbour(link.index, hop)),
      ask: async (known) => {
        if (hop === undefined || !reached.ok) return undefined;
        // The server is this node, and nobody answers his own question.
        return known === reached.value.mac ? known : await this.macOf(reached.value, hop);
      },
    };
  }

  async #ask(asker: Asker, address: Ipv4): Promise<Mac | undefined> {
    if (listenFor(this.#ears, asker) !== undefined) return undefined;
    const answered = new AbortController();
    const onAnswer = (): void => answered.abort();
    const question = new ArpQuestion(this.#ears, address, asker, { probesCount: false, onAnswer });
    try {
      for (let round = 0; round < QUESTIONS && question.answer === undefined; round++) {
        if (question.ask(this.#world.frames) !== undefined) return undefined;
        await questionPause(this.#world, answered.signal);
      }
      return question.answer;
    } finally {
      question.end();
    }
  }
}
