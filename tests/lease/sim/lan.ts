import assert from 'node:assert/strict';
import { IPV4_ANY, IPV4_BROADCAST, type Ipv4 } from '../../../src/base/ipv4.ts';
import { BROADCAST_MAC, type Mac, mac } from '../../../src/base/mac.ts';
import { type ArpPacket, emitArpFrame } from '../../../src/wire/arp.ts';
import { type Dhcp4Message, emitDhcp4, parseDhcp4 } from '../../../src/wire/dhcp4/message.ts';
import { emitUdp4Frame } from '../../../src/wire/ip/udp4.ts';
import { PodModel } from '../support/pods.ts';
import { type Pool, SimServer } from './dhcp-server.ts';
import { DHCPACK, DHCPDECLINE, DHCPRELEASE, Ledger, typeOf } from './ledger.ts';
import type { Random } from './random.ts';
import type { SimTime } from './time.ts';
import { readOption } from '../../../src/wire/dhcp4/options.ts';

export const UPLINK = 2;
const LATENCY_MS = 2;

/** A pod of the simulation: it says when something in it changed, and keeps no history (weeks are long). */
export class SimPod extends PodModel {
  onChange: () => void = () => undefined;

  override note(): void {
    this.onChange();
  }
}

/** What the network does to messages. */
export type Weather = {
  loss: number;
  duplication: number;
  /** The longest delay; different for each message, so they overtake each other. */
  delayMs: number;
  /** What servers get wrong in an answer; several messages are sent in turn. */
  mangle: ((answer: Dhcp4Message) => readonly Dhcp4Message[]) | undefined;
};

/** A host of the LAN that is no pod. `stubborn`: announces its address again and again. */
export type Squatter = {
  readonly address: Ipv4;
  readonly mac: Mac;
  readonly since: number;
  readonly stubborn: boolean;
};

export type LanEvents = {
  /** A client's message left the node. */
  readonly sent: (message: Dhcp4Message) => void;
  /** A promise was made; it ends at `until`. */
  readonly promised: (client: Mac, until: number) => void;
  /** A server may keep something for this client through no fault of the client's. */
  readonly excused: (client: Mac) => void;
};

type Tap = (frame: Uint8Array, checksumReady: boolean) => void;

/** One Ethernet with servers, squatters, and the node's uplink with its pods. */
export class SimLan {
  readonly time: SimTime;
  readonly random: Random;
  readonly ledger = new Ledger();
  readonly servers: SimServer[] = [];
  readonly squatters = new Map<Ipv4, Squatter>();
  readonly pods = new Map<string, SimPod>();
  readonly taps = new Map<number, Tap>();
  readonly weather: Weather = { loss: 0, duplication: 0, delayMs: 0, mangle: undefined };
  readonly uplink = {
    index: UPLINK,
    name: 'uplink0',
    mac: mac('02:00:5e:00:00:02'),
    mtu: 1500,
    up: true,
    lowerUp: true,
  };
  readonly #events: LanEvents;

  constructor(time: SimTime, random: Random, events: LanEvents) {
    this.time = time;
    this.random = random;
    this.#events = events;
  }

  addServer(ip: Ipv4, pool: Pool, asksFirst: boolean): SimServer {
    const number = (this.servers.length + 1).toString(16).padStart(2, '0');
    const world = {
      now: () => this.time.now(),
      isTaken: (address: Ipv4, client: Mac) => asksFirst && this.#isUsed(address, client),
    };
    const server = new SimServer(world, ip, mac(`02:00:5f:00:01:${number}`), pool);
    this.servers.push(server);
    return server;
  }

  #isUsed(address: Ipv4, client: Mac): boolean {
    if (this.squatters.has(address)) return true;
    return this.uplink.lowerUp && this.#owners(address).some((pod) => pod.link.mac !== client);
  }

  #owners(address: Ipv4): readonly SimPod[] {
    return [...this.pods.values()].filter((pod) => pod.link.lowerUp && !pod.linkGone && pod.has(address));
  }

  /** How long this copy is on its way, or undefined when it is lost. */
  #journeys(): readonly number[] {
    const { loss, duplication, delayMs } = this.weather;
    const copies = this.random.chance(duplication) ? 2 : 1;
    const ways: number[] = [];
    for (let i = 0; i < copies; i++) {
      const ms = LATENCY_MS + (delayMs > 0 ? this.random.between(0, delayMs) : 0);
      if (!this.random.chance(loss)) ways.push(ms);
    }
    return ways;
  }

  /** A client's message, out of a pod or (a RELEASE) out of the uplink itself. */
  fromClient(bytes: Uint8Array, to: Ipv4, pod: PodModel | undefined): void {
    const message = parseDhcp4(bytes);
    assert.ok(message.ok, 'what is sent can be read');
    this.#events.sent(message.value);
    const { chaddr } = message.value;
    const isRelease = typeOf(message.value) === DHCPRELEASE;
    const isDecline = typeOf(message.value) === DHCPDECLINE;
    if (isRelease || isDecline) this.#returned(message.value);
    const carried = this.uplink.lowerUp && (pod === undefined || (pod.link.lowerUp && !pod.linkGone));
    let reached = false;
    for (const server of carried ? this.servers : []) {
      if (to !== IPV4_BROADCAST && to !== server.ip) continue;
      for (const ms of this.#journeys()) {
        reached ||= server.mood !== 'silent' && this.weather.delayMs === 0;
        this.time.after(ms, () => this.#atServer(server, message.value));
      }
    }
    if ((isRelease || isDecline) && !reached) this.#events.excused(chaddr);
  }

  #returned(message: Dhcp4Message): void {
    const declined = readOption(message.options, 'dhcp-requested-address');
    const address = declined.kind === 'value' ? declined.value : message.ciaddr;
    // The pod may still have it for the moment that it takes to remove it, not when the message arrives.
    const { chaddr } = message;
    const sentAt = this.time.now();
    this.time.after(LATENCY_MS, () => this.ledger.returned(chaddr, address, sentAt));
  }

  #atServer(server: SimServer, message: Dhcp4Message): void {
    if (!this.uplink.lowerUp) return;
    const answer = server.answer(message);
    if (answer === undefined) return;
    const answers = this.weather.mangle?.(answer) ?? [answer];
    // What the client cannot understand, or has from another server, it cannot give back to this one.
    if (answers[0] !== answer || answers.length > 1 || server !== this.servers[0]) {
      this.#events.excused(answer.chaddr);
    }
    for (const one of answers) {
      if (typeOf(one) === DHCPACK) {
        this.#events.promised(one.chaddr, this.ledger.acknowledged(one, this.time.now(), server.ip));
      }
      for (const ms of this.#journeys()) this.time.after(ms, () => this.#toClients(server, one));
    }
  }

  /** As the kernel does: the tap hears everything, a pod's packet socket what is broadcast or sent to it. */
  #toClients(server: SimServer, answer: Dhcp4Message): void {
    if (!this.uplink.lowerUp) return;
    const payload = emitDhcp4(answer);
    const dst = answer.broadcast ? IPV4_BROADCAST : answer.yiaddr;
    const frame = emitUdp4Frame({
      srcMac: server.mac,
      dstMac: answer.broadcast ? BROADCAST_MAC : answer.chaddr,
      src: server.ip,
      dst,
      srcPort: 67,
      dstPort: 68,
      payload,
    });
    for (const tap of this.taps.values()) tap(frame, true);
    for (const pod of this.pods.values()) {
      if (pod.sockets.size === 0 || !pod.link.lowerUp) continue;
      const reached = answer.broadcast || pod.link.mac === answer.chaddr;
      if (reached) for (const socket of Array.from(pod.sockets)) socket.hear(frame);
    }
  }

  /** ARP out of a pod: the wire and the siblings hear it, the parent's tap does not. */
  arpFromPod(packet: ArpPacket, from: PodModel): void {
    if (from.linkGone || !from.link.lowerUp) return;
    this.#later(() => {
      this.#hearInPods(packet, from);
      if (packet.op !== 'request') return;
      const answerTo = (owner: Mac): void => {
        this.#later(() => this.#hearInPods(replyTo(packet, owner), undefined, from));
      };
      for (const pod of this.#owners(packet.targetIp)) if (pod !== from) answerTo(pod.link.mac);
      const host = this.uplink.lowerUp ? this.hostOf(packet.targetIp) : undefined;
      if (host !== undefined) answerTo(host);
    });
  }

  /** ARP out of the uplink itself: hosts of the wire hear and answer, macvlan children do not. */
  arpFromHost(packet: ArpPacket): void {
    if (!this.uplink.lowerUp || packet.op !== 'request') return;
    const host = this.hostOf(packet.targetIp);
    if (host === undefined) return;
    this.#later(() => this.#later(() => this.#hearOnTaps(replyTo(packet, host))));
  }

  /** A squatter says that it has its address. */
  announce({ address, mac: senderMac }: Squatter): void {
    if (!this.uplink.lowerUp) return;
    const packet: ArpPacket = {
      op: 'request',
      senderMac,
      senderIp: address,
      targetMac: mac('00:00:00:00:00:00'),
      targetIp: address,
    };
    this.#later(() => {
      this.#hearOnTaps(packet);
      this.#hearInPods(packet, undefined);
    });
  }

  /** The MAC of the squatter or of the server that answers for this address. */
  hostOf(address: Ipv4): Mac | undefined {
    if (address === IPV4_ANY) return undefined;
    return (
      this.squatters.get(address)?.mac ??
      this.servers.find(({ ip, mood }) => ip === address && mood !== 'silent')?.mac
    );
  }

  #later(work: () => void): void {
    for (const ms of this.#journeys()) this.time.after(ms, work);
  }

  #hearOnTaps(packet: ArpPacket): void {
    const frame = emitArpFrame(packet.senderMac, BROADCAST_MAC, packet);
    for (const tap of this.taps.values()) tap(frame, true);
  }

  #hearInPods(packet: ArpPacket, from: PodModel | undefined, only?: PodModel): void {
    for (const pod of only === undefined ? this.pods.values() : [only]) {
      if (pod !== from) for (const port of Array.from(pod.arpPorts)) port.hear(packet);
    }
  }
}

function replyTo({ senderMac, senderIp, targetIp }: ArpPacket, owner: Mac): ArpPacket {
  return { op: 'reply', senderMac: owner, senderIp: targetIp, targetMac: senderMac, targetIp: senderIp };
}
