import type { Ipv4 } from '../base/ipv4.ts';
import type { Mac } from '../base/mac.ts';
import { between, type Instant, seconds } from '../base/time.ts';
import {
  type ArpEars,
  ArpQuestion,
  type Asker,
  listenFor,
  questionPause,
  QUESTIONS,
} from './arp-question.ts';
import { lookAt } from './host-release.ts';
import type { LeaseWorld } from './ports.ts';
import type { LeaseIdentity } from './record.ts';

/** An answer, and silence, count so long: pods that are deleted together ask once for all. */
const LATELY = seconds(1);
/** A server, or the router to it, for each LAN of the node. */
const MOST_WAYS = 64;

type Way = { readonly mac: Promise<Mac | undefined>; readonly since: Instant };

/**
 * At which Ethernet address the servers, or the routers to them, are now. A router may be replaced, or another one take
 * its part over (VRRP, RFC 5798), and what is sent to the address of before is lost in silence.
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
   * know. `known`: who had it, and is taken before others if he answers within 100 ms of the first. Undefined when nobody
   * does within 300 ms, or the question cannot be sent. Never rejects for what the kernel says.
   */
  macOf(asker: Asker, address: Ipv4, known?: Mac): Promise<Mac | undefined> {
    const key = `${asker.index} ${address} ${known ?? ''}`;
    const now = this.#world.clock.now();
    const before = this.#ways.get(key);
    if (before !== undefined && between(before.since, now) <= LATELY) return before.mac;
    this.#ways.delete(key);
    for (const oldest of this.#ways.keys()) {
      if (this.#ways.size < MOST_WAYS) break;
      this.#ways.delete(oldest);
    }
    const mac = this.#ask(asker, address, known);
    this.#ways.set(key, { mac, since: now });
    return mac;
  }

  /**
   * The same out of the uplink of a lease, whatever its name is now. `known` is not asked for where that is this node
   * itself (a switch that reflects, IEEE 802.1Qbg): nobody answers his own question.
   */
  async find(
    { lan, link, uplinkIndex }: Pick<LeaseIdentity, 'lan' | 'link' | 'uplinkIndex'>,
    address: Ipv4,
    known: Mac | undefined,
  ): Promise<Mac | undefined> {
    if (lan === undefined || uplinkIndex === undefined) return undefined;
    const named = lookAt(this.#world.frames, lan.name);
    const uplink = named.ok && named.value.index === uplinkIndex ? named.value : undefined;
    if (uplink !== undefined && !(uplink.up && uplink.lowerUp)) return undefined;
    if (known !== undefined && known === uplink?.mac) return known;
    return this.macOf({ index: uplinkIndex, mac: uplink?.mac ?? link.mac }, address, known);
  }

  async #ask(asker: Asker, address: Ipv4, expected: Mac | undefined): Promise<Mac | undefined> {
    if (listenFor(this.#ears, asker) !== undefined) return undefined;
    const answered = new AbortController();
    const onAnswer = (): void => answered.abort();
    const question = new ArpQuestion(this.#ears, address, asker, { probesCount: false, expected, onAnswer });
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
