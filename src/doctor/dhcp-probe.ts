import type { Ipv4 } from '../base/ipv4.ts';
import { macFromBytes, type Mac } from '../base/mac.ts';
import { type Duration, type Instant, between, later, millis } from '../base/time.ts';
import { probe } from '../protocol/acd4/packets.ts';
import { emitArpToAll, parseArpFrame } from '../wire/arp.ts';
import { BRIDGE_GROUP_MAC, type Bpdu, parseBpdu } from '../wire/bpdu.ts';
import { DHCP_MESSAGE_TYPE } from '../wire/dhcp4/message-type.ts';
import { type Dhcp4Message, parseDhcp4 } from '../wire/dhcp4/message.ts';
import { DHCP4_OPTIONS } from '../wire/dhcp4/options.ts';
import { DHCP_CLIENT_PORT, DHCP_SERVER_PORT } from '../wire/dhcp4/udp-ports.ts';
import { serverWords } from '../wire/dhcp4/server-words.ts';
import { parseUnreachable4, type Unreachable4 } from '../wire/ip/icmp4.ts';
import { parseUdp4Frame } from '../wire/ip/udp4.ts';
import { childMac, discoverFrame, informFrame, releaseFrame } from './discover.ts';
import type { PodExtras } from '../protocol/dhcp4/extras.ts';
import { ExtrasProbe, USUAL_EXTRAS } from './extras-probe.ts';
import {
  ALL_WAYS,
  type ClaimFact,
  type InformFact,
  type LanFacts,
  type NakFact,
  type OfferFact,
  type Way,
  WAYS,
} from './lan-facts.ts';
import { readOffer, type ServerAnswer } from './offer.ts';
import type { HeardFrame, LanPorts, ProbedLink, ProbeSocket } from './ports.ts';

export const DEFAULT_BUDGET = millis(1500);
/** Two pings of three seconds, which dnsmasq sends before it offers an address, one for each new client. */
export const DEFAULT_PATIENCE = millis(6500);
/** Longer than this nobody waits, whatever the caller asks for. */
const LONGEST = millis(60_000);

/** Ways that are not answered are asked again: after the pauses of a client (0.25 s, 0.5 s), then once a second. */
const FIRST_ROUNDS: readonly number[] = [0, 250, 750];
const LATER_ROUNDS_FROM = 1500;
const ROUND_EVERY = 1000;
/** Between the ways of a round: some servers drop a message of a client while another of his is worked on. */
const STAGGER = millis(15);
/** More say nothing new, and nobody may fill our memory. Servers per way of asking, and of everything else. */
const MOST_SERVERS = 16;
const MOST_OTHERS = 16;
/** Addresses that are asked about by ARP, the uplink's own first. */
const MOST_ADDRESSES = 16;

export type ProbeOptions = {
  readonly budget: Duration;
  readonly patience: Duration;
  /** What pods say beside the plain messages of the probe; else what they do by default. */
  readonly extras?: PodExtras | undefined;
  /** Called once, when the budget is over and the patience is needed: what is known by then. */
  readonly early?: ((facts: LanFacts) => void) | undefined;
  /** Ends it at once, with what is known by then. */
  readonly signal?: AbortSignal | undefined;
};
export type EthernetLink = ProbedLink & { readonly mac: Mac };

/**
 * Asks for an address in every way of WAYS, and takes none: DISCOVERs, and where nobody answers those a DHCPINFORM, which
 * tells a server that is silent from none. Listens for the budget, and longer, up to the patience, while a way is not
 * answered. Throws SysError: EPERM without CAP_NET_RAW, ENODEV.
 */
export async function probeLan(
  ports: LanPorts,
  link: EthernetLink,
  options: ProbeOptions,
): Promise<LanFacts> {
  const child = childMac(link.mac);
  const ownMacs = await ports.ownMacs();
  const socket = ports.openProbe(link.index, {
    addresses: [child, BRIDGE_GROUP_MAC],
    promiscuous: false,
  });
  try {
    return await new LanProbe(ports, { link, child, ownMacs, socket }, options.extras).run(options);
  } finally {
    await socket.close();
  }
}

function roundsWithin(longest: Duration): readonly number[] {
  const rounds = [...FIRST_ROUNDS];
  for (let at = LATER_ROUNDS_FROM; at < longest; at += ROUND_EVERY) rounds.push(at);
  return rounds;
}

type Parts = {
  readonly link: EthernetLink;
  readonly child: Mac;
  readonly ownMacs: ReadonlySet<Mac>;
  readonly socket: ProbeSocket;
};

class LanProbe {
  readonly #ports: LanPorts;
  readonly #parts: Parts;
  readonly #begin: Instant;
  /** What was sent, by transaction id: each DISCOVER has its own, so that its answer tells which one it was. */
  readonly #asked = new Map<number, { readonly way: Way; readonly round: number; readonly at: Instant }>();
  readonly #offers: OfferFact[] = [];
  readonly #extras: ExtrasProbe;
  /** DHCPINFORMs by transaction id. */
  readonly #informs = new Map<number, Instant>();
  readonly #informed: InformFact[] = [];
  readonly #naks: NakFact[] = [];
  readonly #claims = new Map<string, ClaimFact>();
  readonly #unreachable: Unreachable4[] = [];
  readonly #vlans = new Set<number>();
  readonly #cancels: (() => void)[] = [];
  readonly #receivedBefore: number | undefined;
  #bpdu: Bpdu | undefined;
  #sendError: string | undefined;
  #onAnswer: (() => void) | undefined;

  constructor(ports: LanPorts, parts: Parts, extras = USUAL_EXTRAS) {
    this.#extras = new ExtrasProbe(extras);
    this.#ports = ports;
    this.#parts = parts;
    this.#begin = ports.clock.now();
    this.#receivedBefore = this.#received();
  }

  async run({ budget, patience, early, signal }: ProbeOptions): Promise<LanFacts> {
    const { promise: enough, resolve } = Promise.withResolvers<void>();
    const longest = millis(Math.min(LONGEST, budget + patience));
    this.#parts.socket.onFrame((frame) => this.#hear(frame));
    for (const [round, at] of roundsWithin(longest).entries()) {
      for (const [i, way] of ALL_WAYS.entries()) {
        this.#schedule(millis(at + i * STAGGER), () => this.#ask(way, round));
      }
      this.#schedule(millis(at), () => this.#askOwners());
      this.#schedule(millis(at + ALL_WAYS.length * STAGGER), () => this.#askExtras());
      if (round > 0) this.#schedule(millis(at), () => this.#inform());
    }
    this.#schedule(budget, () => {
      if (patience === 0 || this.#complete()) {
        resolve();
        return;
      }
      this.#onAnswer = () => {
        if (this.#complete()) resolve();
      };
      early?.(this.#facts());
    });
    this.#schedule(longest, resolve);
    const end = (): void => resolve();
    signal?.addEventListener('abort', end, { once: true });
    if (signal?.aborted === true) end();
    try {
      await enough;
      return this.#facts();
    } finally {
      signal?.removeEventListener('abort', end);
      for (const cancel of this.#cancels) cancel();
    }
  }

  #schedule(at: Duration, work: () => void): void {
    this.#cancels.push(this.#ports.timers.at(later(this.#begin, at), work));
  }

  #facts(): LanFacts {
    const received = this.#received();
    return {
      link: this.#parts.link,
      child: this.#parts.child,
      listened: between(this.#begin, this.#ports.clock.now()),
      sent: this.#asked.size,
      sendError: this.#sendError,
      offers: [...this.#offers],
      extras: this.#extras.facts(this.#ports.clock.now()),
      informs: this.#informs.size,
      informed: [...this.#informed],
      naks: [...this.#naks],
      claims: [...this.#claims.values()],
      unreachable: [...this.#unreachable],
      vlans: [...this.#vlans].toSorted((a, b) => a - b),
      bpdu: this.#bpdu,
      received:
        this.#receivedBefore === undefined || received === undefined
          ? undefined
          : received - this.#receivedBefore,
    };
  }

  #received(): number | undefined {
    return this.#ports.received(this.#parts.link.name);
  }

  #complete(): boolean {
    return ALL_WAYS.every((way) => this.#isAnswered(way)) && this.#extras.isDone(this.#ports.clock.now());
  }

  #isAnswered(way: Way): boolean {
    return this.#offers.some((offer) => offer.way === way);
  }

  #ask(way: Way, round: number): void {
    if (this.#isAnswered(way)) return;
    const { link, child, socket } = this.#parts;
    const xid = this.#ports.random();
    const failed = socket.send(discoverFrame(WAYS[way], { own: link.mac, child, xid }));
    if (failed === undefined) this.#asked.set(xid, { way, round, at: this.#ports.clock.now() });
    else this.#sendError = failed.message;
  }

  /** The same as a pod asks, with what its messages need not carry: only where one without it is answered. */
  #askExtras(): void {
    if (!this.#isAnswered('child')) return;
    const { link, child, socket } = this.#parts;
    const now = this.#ports.clock.now();
    for (const codes of this.#extras.due(now)) {
      const xid = this.#ports.random();
      const asker = { own: link.mac, child, xid };
      const failed = socket.send(discoverFrame(WAYS.child, asker, this.#extras.optionsOf(codes)));
      if (failed === undefined) this.#extras.asked(codes, xid, now);
      else this.#sendError = failed.message;
    }
    this.#onAnswer?.();
  }

  #hearExtra(message: Dhcp4Message, { type, serverId }: ServerAnswer, serverMac: Mac): void {
    if (type === DHCP_MESSAGE_TYPE.DHCPOFFER) this.#extras.heard(message.xid, 'offer');
    if (type !== DHCP_MESSAGE_TYPE.DHCPACK) return;
    const isMarked = message.options.has(DHCP4_OPTIONS['rapid-commit'].code);
    this.#extras.heard(message.xid, isMarked ? 'ack' : 'unmarked-ack');
    const committed = { address: message.yiaddr, serverId, serverMac };
    const { child, socket } = this.#parts;
    const failed = socket.send(releaseFrame(child, this.#ports.random(), committed));
    if (failed !== undefined) this.#sendError = failed.message;
  }

  #inform(): void {
    const { link, socket } = this.#parts;
    const [own] = link.addresses;
    if (own === undefined || this.#offers.length + this.#informed.length > 0) return;
    const xid = this.#ports.random();
    const failed = socket.send(informFrame({ own: link.mac, address: own.address, xid }));
    if (failed === undefined) this.#informs.set(xid, this.#ports.clock.now());
    else this.#sendError = failed.message;
  }

  /** "Has anybody this address?": the uplink's own, which nobody else should have, and what servers offer. */
  #askOwners(): void {
    const { link, socket } = this.#parts;
    for (const address of this.#addresses()) {
      const failed = socket.send(emitArpToAll(probe(address, link.mac)));
      if (failed !== undefined) this.#sendError = failed.message;
    }
  }

  #addresses(): readonly Ipv4[] {
    const own = this.#parts.link.addresses.map(({ address }) => address);
    return [...new Set([...own, ...this.#offers.map(({ address }) => address)])].slice(0, MOST_ADDRESSES);
  }

  #hear(frame: HeardFrame): void {
    if (frame.vlan !== undefined) {
      if (this.#vlans.size < MOST_OTHERS) this.#vlans.add(frame.vlan);
      return;
    }
    const udp = parseUdp4Frame(frame.bytes, { checksumReady: frame.checksumReady });
    if (udp.ok) {
      // The parser takes tags that are still in the frame: those of a second level.
      if (udp.value.dstPort === DHCP_CLIENT_PORT && udp.value.vlan === undefined) {
        this.#hearDhcp(udp.value.payload, macFromBytes(frame.bytes, 6), udp.value.src, frame.at);
      }
      return;
    }
    const arp = parseArpFrame(frame.bytes);
    if (arp.ok) {
      this.#hearClaim(arp.value.senderIp, arp.value.senderMac);
      return;
    }
    this.#bpdu = parseBpdu(frame.bytes) ?? this.#bpdu;
    const unreachable = parseUnreachable4(frame.bytes);
    if (unreachable?.dstPort === DHCP_SERVER_PORT && this.#unreachable.length < MOST_OTHERS) {
      this.#unreachable.push(unreachable);
    }
  }

  #hearDhcp(payload: Uint8Array, sourceMac: Mac, src: Ipv4, at: Instant): void {
    const message = parseDhcp4(payload);
    if (!message.ok || message.value.op !== 'reply') return;
    if (this.#extras.isOurs(message.value.xid) && message.value.chaddr === this.#parts.child) {
      const answer = readOffer(message.value, src);
      if (answer !== undefined) this.#hearExtra(message.value, answer, sourceMac);
      this.#onAnswer?.();
      return;
    }
    const informedAt = this.#informs.get(message.value.xid);
    if (informedAt !== undefined) this.#hearInformed(message.value, src, between(informedAt, at));
    const asked = this.#asked.get(message.value.xid);
    if (asked === undefined || message.value.chaddr !== this.#chaddrOf(asked.way)) return;
    const answer = readOffer(message.value, src);
    if (answer === undefined) return;
    if (answer.type === DHCP_MESSAGE_TYPE.DHCPNAK)
      this.#hearNak(answer.serverId, serverWords(message.value) ?? '');
    if (answer.type !== DHCP_MESSAGE_TYPE.DHCPOFFER) return;
    const known = this.#offers.filter(({ way }) => way === asked.way);
    if (known.length >= MOST_SERVERS || known.some(({ serverId }) => serverId === answer.serverId)) return;
    const { type: _, ...offer } = answer;
    this.#offers.push({
      ...offer,
      way: asked.way,
      round: asked.round,
      sourceMac,
      at: between(this.#begin, at),
      after: between(asked.at, at),
    });
    this.#onAnswer?.();
  }

  #hearInformed(message: Dhcp4Message, src: Ipv4, after: Duration): void {
    const answer = readOffer(message, src);
    if (answer?.type !== DHCP_MESSAGE_TYPE.DHCPACK || message.chaddr !== this.#parts.link.mac) return;
    const { serverId } = answer;
    if (this.#informed.length >= MOST_OTHERS || this.#informed.some((ack) => ack.serverId === serverId))
      return;
    this.#informed.push({ serverId, after });
  }

  #hearNak(serverId: Ipv4, text: string): void {
    if (this.#naks.length >= MOST_OTHERS || this.#naks.some((nak) => nak.serverId === serverId)) return;
    this.#naks.push({ serverId, text });
  }

  #chaddrOf(way: Way): Mac {
    return WAYS[way].chaddr === 'own' ? this.#parts.link.mac : this.#parts.child;
  }

  #hearClaim(address: Ipv4, by: Mac): void {
    const { link, ownMacs, child } = this.#parts;
    if (by === child || ownMacs.has(by) || this.#claims.size >= MOST_OTHERS) return;
    const own = link.addresses.some((cidr) => cidr.address === address);
    if (!own && !this.#offers.some((offer) => offer.address === address)) return;
    this.#claims.set(`${address} ${by}`, { address, mac: by, kind: own ? 'own' : 'offered' });
  }
}
