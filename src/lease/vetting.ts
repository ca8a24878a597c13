import type { Ipv4 } from '../base/ipv4.ts';
import type { Mac } from '../base/mac.ts';
import { between, type Instant, later, seconds } from '../base/time.ts';
import { isAllowedSource } from '../protocol/dhcp4/allowed-source.ts';
import type { Source } from '../protocol/dhcp4/source.ts';
import type { ArpPacket } from '../wire/arp.ts';
import type { Dhcp4Message } from '../wire/dhcp4/message.ts';
import { askWho, isHostMac, QUESTION_PAUSE, QUESTIONS } from './arp-question.ts';
import type { Inbox, Origin } from './inbox.ts';
import type { LeaseWorld } from './ports.ts';
import type { LeaseIdentity } from './record.ts';

/** Who forges messages without end does not make us ask without end. */
const CALM = seconds(1);
/** Messages that wait for the same answer. A server has sent one or two; more of them are somebody's flood. */
const MOST_HELD = 16;
/** Machines that say that they have the address of one server. */
const MOST_HOLDERS = 4;

export type VettingWorld = Pick<LeaseWorld, 'clock' | 'timers' | 'frames' | 'count'>;
type Ears = Pick<Inbox, 'hears' | 'watchArp'>;
type Listener = {
  readonly deliver: (message: Dhcp4Message, source: Source) => void;
};
type Held = { readonly message: Dhcp4Message; readonly origin: Origin };

/**
 * Finds out who on the LAN has the address that an answer came from, where only some servers are allowed: whoever
 * writes an allowed server into a message can write its address into the IP header too, but the server answers ARP for
 * that itself. ARP is asked out of the uplink, with the pod's own MAC address, so that nobody learns anything. Until
 * there is an answer the message waits. One lives as long as the client, and knows something during an exchange only.
 */
export class Vetting {
  readonly #world: VettingWorld;
  readonly #ears: Ears;
  readonly #identity: Pick<LeaseIdentity, 'config' | 'uplinkIndex'>;
  readonly #listener: Listener;
  /** By allowed address, of which a configuration has a bounded number. */
  readonly #questions = new Map<Ipv4, Question>();

  constructor(
    world: VettingWorld,
    ears: Ears,
    identity: Pick<LeaseIdentity, 'config' | 'uplinkIndex'>,
    listener: Listener,
  ) {
    this.#world = world;
    this.#ears = ears;
    this.#identity = identity;
    this.#listener = listener;
  }

  /** Hands the message on, now or when its source is known; `end` drops what waits. */
  hear(message: Dhcp4Message, origin: Origin): void {
    const { uplinkIndex, config } = this.#identity;
    const isForUs = message.chaddr === config.chaddr;
    if (config.servers.length === 0) {
      // Nobody asks where a message is from.
      this.#listener.deliver(message, sourceOf(origin, undefined));
      return;
    }
    const isOfInterest = isForUs && isAllowedSource(config, origin.address);
    // Without a tap there is nobody to ask.
    const isHeard = uplinkIndex !== undefined && this.#ears.hears(uplinkIndex);
    // What is not of interest is not taken whatever ARP says.
    if (!isOfInterest || !isHeard) {
      this.#listener.deliver(message, sourceOf(origin, isHeard ? undefined : 'unasked'));
      return;
    }
    let question = this.#questions.get(origin.address);
    if (question === undefined) {
      question = new Question(this.#world, this.#ears, {
        address: origin.address,
        uplinkIndex,
        own: config.chaddr,
        deliver: this.#listener.deliver,
      });
      this.#questions.set(origin.address, question);
    }
    question.hear({ message, origin });
  }

  end(): void {
    for (const question of this.#questions.values()) question.end();
    this.#questions.clear();
  }
}

function sourceOf({ address, mac }: Origin, holder: Source['holder']): Source {
  return { address, mac, holder };
}

type About = {
  readonly address: Ipv4;
  readonly uplinkIndex: number;
  /** The pod's MAC address. */
  readonly own: Mac;
  readonly deliver: Listener['deliver'];
};

/** Who has one address, and the messages that wait for it. */
class Question {
  readonly #world: VettingWorld;
  readonly #about: About;
  readonly #endWatch: () => void;
  readonly #holders = new Set<Mac>();
  #held: Held[] = [];
  #askedAt: Instant | undefined;
  /** There while the question is open. */
  #cancelRound: (() => void) | undefined;

  constructor(world: VettingWorld, ears: Ears, about: About) {
    this.#world = world;
    this.#about = about;
    this.#endWatch = ears.watchArp(about.address, (packet, heardOn) => this.#onArp(packet, heardOn));
  }

  hear(held: Held): void {
    const { clock } = this.#world;
    if (this.#isOfHolder(held)) this.#settle([held]);
    else if (this.#cancelRound !== undefined) {
      if (this.#held.length < MOST_HELD) this.#held.push(held);
      else this.#world.count('message-dropped:too-many-to-vet');
    } else if (this.#askedAt === undefined || between(this.#askedAt, clock.now()) >= CALM) {
      this.#held = [held];
      this.#askedAt = clock.now();
      this.#ask(QUESTIONS);
    } else this.#deliver(held);
  }

  /** The holder's own words. All others have lied: they are told of first, while the client still waits. */
  #settle(confirmed: readonly Held[]): void {
    this.#close();
    for (const held of confirmed) this.#deliver(held);
  }

  #isOfHolder({ origin }: Held): boolean {
    return this.#holders.has(origin.mac);
  }

  #deliver(held: Held): void {
    const holder = this.#isOfHolder(held) ? 'sender' : this.#holders.size > 0 ? 'other' : 'nobody';
    this.#about.deliver(held.message, sourceOf(held.origin, holder));
  }

  /** Nothing more is asked; what waits is judged by what is known. */
  #close(): void {
    this.#cancelRound?.();
    this.#cancelRound = undefined;
    for (const held of this.#held.splice(0)) this.#deliver(held);
  }

  #ask(rounds: number): void {
    const { clock, timers, frames } = this.#world;
    const { address, own, uplinkIndex } = this.#about;
    if (rounds === 0) {
      this.#close();
      return;
    }
    // One that is not sent is like one that is lost.
    askWho(frames, { index: uplinkIndex, mac: own }, address);
    this.#cancelRound = timers.at(later(clock.now(), QUESTION_PAUSE), () => this.#ask(rounds - 1));
  }

  #onArp({ senderIp, senderMac }: ArpPacket, heardOn: number): void {
    const { address, own, uplinkIndex } = this.#about;
    if (heardOn !== uplinkIndex || senderIp !== address || senderMac === own) return;
    if (!isHostMac(senderMac) || this.#holders.has(senderMac)) return;
    if (this.#holders.size >= MOST_HOLDERS) return;
    if (this.#holders.size > 0) this.#world.count('server-address-shared');
    this.#holders.add(senderMac);
    const confirmed = this.#held.filter((held) => this.#isOfHolder(held));
    if (confirmed.length === 0) return;
    this.#held = this.#held.filter((held) => !confirmed.includes(held));
    this.#settle(confirmed);
  }

  end(): void {
    this.#endWatch();
    this.#cancelRound?.();
    this.#cancelRound = undefined;
    this.#held = [];
  }
}
