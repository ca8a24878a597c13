import assert from 'node:assert/strict';
import { IPV4_ANY, IPV4_BROADCAST, type Ipv4 } from '../../../src/base/ipv4.ts';
import type { Cidr } from '../../../src/base/cidr.ts';
import { BROADCAST_MAC, mac, type Mac, macFromBytes } from '../../../src/base/mac.ts';
import { SysError } from '../../../src/base/sys-error.ts';
import { instant } from '../../../src/base/time.ts';
import type {
  HostFrames,
  LeaseWorld,
  PastAddresses,
  LinkState,
  NamespaceAt,
  OnFrame,
} from '../../../src/lease/ports.ts';
import { recordStore } from '../../../src/lease/stored.ts';
import { emitDhcp4, parseDhcp4, type Dhcp4Message } from '../../../src/wire/dhcp4/message.ts';
import { messageTypeName } from '../../../src/wire/dhcp4/message-type.ts';
import { readOption } from '../../../src/wire/dhcp4/options.ts';
import { type ArpPacket, emitArpFrame, parseArpFrame } from '../../../src/wire/arp.ts';
import { emitUdp4Frame, parseUdp4Frame } from '../../../src/wire/ip/udp4.ts';
import { hmacMd5 } from '../../protocol/dhcp4/signed.ts';
import { childMacs, FakePod, PodModel } from './pods.ts';
import { DhcpServer, SERVER } from './server.ts';
import { VirtualTime } from './time.ts';

export * from './attaching.ts';

export const UPLINK = 2;
export const SERVER_MAC = mac('02:00:5e:00:00:fe');
const NO_MAC = mac('00:00:00:00:00:00');
const LATENCY_MS = 2;
export const BOOT = 'boot-1';

/** Everything a lease manager needs, in memory: time, namespaces, an uplink, a server on it, files. */
export class FakeWorld implements LeaseWorld {
  readonly time: VirtualTime;
  readonly server: DhcpServer;
  readonly pods = new Map<string, PodModel>();
  readonly taps = new Map<number, OnFrame>();
  /** Whose ordinary ARP questions the taps hear, and how often they were told. */
  readonly claimed = new Set<Ipv4>();
  claimFilters = 0;
  /** MAC addresses that the uplink lets in for a tap. */
  readonly letIn = new Set<Mac>();
  /** Pods without a lease, by MAC address. */
  readonly podMacs = new Set<Mac>();
  /** Uplinks that were removed: their taps stay and hear nothing. */
  readonly gone = new Set<number>();
  readonly files = new Map<string, string>();
  readonly counts = new Map<string, number>();
  readonly warnings: string[] = [];
  /** The same with all that was said. */
  readonly warned: { readonly fields: object; readonly message: string }[] = [];
  /** What was said at level info. */
  readonly told: { readonly fields: object; readonly message: string }[] = [];
  /** What went over the wire and to the disk, in order. */
  readonly journal: string[] = [];
  readonly sentFrom: string[] = [];
  /** The same by Ethernet address. */
  readonly sentTo: string[] = [];
  /** Whose interfaces messages have left by, beside the uplink. */
  readonly fromPods: string[] = [];
  /** Those that ARP has left by. */
  readonly arpFromPods: string[] = [];
  shim: { readonly index: number; readonly mac: Mac } | undefined;
  /** Addresses of pods whose kernel has answered a server with ICMP port unreachable. */
  readonly refused: Ipv4[] = [];
  storeError: SysError | undefined;
  #lastFromHost = '';
  /** What the node itself asked by ARP. */
  readonly questions: ArpPacket[] = [];
  /** Hosts of the LAN that are no pods, by the address that they use. */
  readonly hosts = new Map<Ipv4, Mac>([[SERVER, SERVER_MAC]]);
  /** What pods send and hear of ARP is dropped by a filter of their own. */
  podsAreDeaf = false;
  /** The node's uplink. */
  readonly uplink: LinkState & { index: number; name: string; mac: Mac; mtu: number; lowerUp: boolean } = {
    index: UPLINK,
    name: 'uplink0',
    mac: mac('02:00:5e:00:00:02'),
    mtu: 1500,
    up: true,
    lowerUp: true,
  };
  protect: readonly Cidr<Ipv4>[] = [];
  /** Addresses that this node has beside the leases of its pods, with who has them. */
  readonly onNode = new Map<Ipv4, string>();
  /** Whether a message is lost on the way. */
  loses: (direction: 'up' | 'down', message: Dhcp4Message) => boolean = () => false;
  random: () => number = () => 0.5;
  hmacMd5: LeaseWorld['hmacMd5'] = hmacMd5;
  readonly store: LeaseWorld['store'];
  /** Of clients that are gone. */
  readonly addresses = new Map<string, Ipv4>();
  pastError: SysError | undefined;
  readonly past: PastAddresses = {
    get: (client) => this.addresses.get(client),
    put: async (client, address) => {
      this.addresses.set(client, address);
      await Promise.resolve();
      if (this.pastError !== undefined) throw this.pastError;
    },
  };

  constructor(bootId = BOOT) {
    this.time = new VirtualTime(bootId);
    this.server = new DhcpServer(() => this.time.now());
    this.store = recordStore(
      {
        put: (name, text) => this.#write(`put`, () => this.files.set(name, text)),
        remove: (name) => this.#write(`remove`, () => this.files.delete(name)),
      },
      (key) => key,
    );
  }

  get clock(): VirtualTime {
    return this.time;
  }

  get timers(): VirtualTime {
    return this.time;
  }

  readonly log = {
    debug: (): void => undefined,
    info: (fields: object, message: string): void => {
      this.told.push({ fields, message });
    },
    warn: (fields: object, message: string): void => {
      this.warnings.push(message);
      this.warned.push({ fields, message });
    },
  };

  count(event: string): void {
    this.counts.set(event, (this.counts.get(event) ?? 0) + 1);
  }

  async #write(what: string, work: () => void): Promise<void> {
    await Promise.resolve();
    if (this.storeError !== undefined) throw this.storeError;
    this.journal.push(what);
    work();
  }

  addPod(name: string, number = this.pods.size + 1): PodModel {
    const hex = number.toString(16).padStart(4, '0');
    const address = mac(`02:00:5e:10:${hex.slice(0, 2)}:${hex.slice(2)}`);
    const pod = new PodModel(`/run/netns/${name}`, String(4_026_531_840 + number), 10 + number, address);
    this.pods.set(pod.path, pod);
    return pod;
  }

  shimOn(): { readonly index: number; readonly mac: Mac } | undefined {
    return this.shim;
  }

  isPodMac(address: Mac): boolean {
    return this.podMacs.has(address);
  }

  holderOnNode(address: Ipv4): string | undefined {
    return this.onNode.get(address);
  }

  openPod(path: string): FakePod {
    const model = this.pods.get(path);
    if (model === undefined) throw new SysError(`open ${path}`, 'ENOENT');
    return new FakePod(model, {
      now: () => this.time.now(),
      frame: (frame, from) => this.#fromPod(frame, from),
      arp: (packet, from) => {
        this.arpFromPods.push(from.path);
        if (!this.podsAreDeaf) this.#arp(packet, from);
      },
    });
  }

  namespaceAt(path: string): NamespaceAt {
    const model = this.pods.get(path);
    return model === undefined ? { kind: 'gone' } : { kind: 'namespace', inode: model.inode };
  }

  readonly frames: HostFrames = {
    send: (ifindex, frame) => {
      if (ifindex !== this.uplink.index || this.gone.has(ifindex))
        return new SysError('send a frame', 'ENXIO');
      this.#fromHost(frame);
      return undefined;
    },
    link: (name) =>
      name === this.uplink.name && !this.gone.has(this.uplink.index) ? { ...this.uplink } : undefined,
  };

  async childMacs(): Promise<readonly Mac[]> {
    return childMacs(this.pods.values());
  }

  #fromHost(frame: Uint8Array): void {
    const arp = parseArpFrame(frame);
    if (arp.ok) {
      this.questions.push(arp.value);
      this.#arp(arp.value, undefined);
      return;
    }
    this.#lastFromHost = Buffer.from(frame).toString('hex');
    this.#toServer(frame, !this.uplink.lowerUp);
  }

  /** Out of a pod's own interface: what it broadcasts leaves by the uplink as well. */
  #fromPod(frame: Uint8Array, from: PodModel): void {
    const arp = parseArpFrame(frame);
    if (arp.ok) {
      this.arpFromPods.push(from.path);
      if (!this.podsAreDeaf) this.#arp(arp.value, from);
      return;
    }
    this.fromPods.push(from.path);
    // A server takes the second of two equal messages for the first.
    if (this.#lastFromHost === Buffer.from(frame).toString('hex')) return;
    this.#toServer(frame, !from.link.lowerUp);
  }

  /** Everybody on the LAN hears it, and who has the address answers. */
  #arp(packet: ArpPacket, from: PodModel | undefined): void {
    this.time.at(instant(this.time.now() + LATENCY_MS), () => {
      if (packet.op === 'request') this.#answerArp(packet);
      this.hearArp(packet, from);
    });
  }

  #answerArp({ senderMac, senderIp, targetIp }: ArpPacket): void {
    const owner = this.hosts.get(targetIp);
    if (owner === undefined || owner === senderMac) return;
    this.hearArp(
      { op: 'reply', senderMac: owner, senderIp: targetIp, targetMac: senderMac, targetIp: senderIp },
      undefined,
    );
  }

  /** The taps and all packet sockets but the sender's. */
  hearArp(packet: ArpPacket, from?: PodModel): void {
    const { senderMac, targetMac } = packet;
    const frame = emitArpFrame(senderMac, targetMac === NO_MAC ? BROADCAST_MAC : targetMac, packet);
    const passes = isOfNote(packet) || this.claimed.has(packet.senderIp);
    for (const [index, tap] of this.taps) if (passes && !this.gone.has(index)) tap(frame, true);
    for (const pod of this.pods.values()) {
      if (pod !== from && !this.podsAreDeaf) for (const port of pod.arpPorts) port.hear(packet);
    }
  }

  openTap(uplinkIndex: number, onFrame: OnFrame): ReturnType<LeaseWorld['openTap']> {
    if (uplinkIndex !== this.uplink.index) throw new SysError(`open packet tap on #${uplinkIndex}`, 'ENODEV');
    this.taps.set(uplinkIndex, onFrame);
    return {
      attached: () => !this.gone.has(uplinkIndex),
      letIn: (address) => {
        this.letIn.add(address);
        return () => void this.letIn.delete(address);
      },
      hearClaims: (addresses) => {
        this.claimFilters += 1;
        this.claimed.clear();
        for (const address of addresses) this.claimed.add(address);
      },
      close: () => void this.taps.delete(uplinkIndex),
    };
  }

  #toServer(frame: Uint8Array, lost: boolean): void {
    const datagram = parseUdp4Frame(frame, { checksumReady: true });
    assert.ok(datagram.ok, 'what is sent can be read');
    const { payload, src, dst } = datagram.value;
    const message = parseDhcp4(payload);
    assert.ok(message.ok, 'what is sent can be read');
    const type = readOption(message.value.options, 'dhcp-message-type');
    assert.ok(type.kind === 'value');
    const name = messageTypeName(type.value).replace('DHCP', '');
    this.journal.push(name);
    this.sentFrom.push(`${name} from ${src}`);
    const to = addresseeOf(frame);
    this.sentTo.push(`${name} to ${to}`);
    const arrives =
      to === BROADCAST_MAC || to === this.hosts.get(SERVER) || this.podMacs.has(to) || to === this.shim?.mac;
    if (lost || !arrives || this.loses('up', message.value)) return;
    assert.ok(dst === IPV4_BROADCAST || dst === SERVER);
    this.time.at(instant(this.time.now() + LATENCY_MS), () => {
      const answer = this.server.answer(message.value);
      if (answer !== undefined && !this.loses('down', answer)) this.#downstream(answer);
    });
  }

  #downstream(answer: Dhcp4Message): void {
    this.time.at(instant(this.time.now() + LATENCY_MS), () => this.deliver(answer));
  }

  /**
   * As the kernel does: the tap hears everything, a pod's packet socket what is broadcast or sent to its MAC address.
   * `beside`: from a macvlan beside the pod, whose broadcasts leave by the uplink and are heard by macvlans alone.
   */
  deliver(
    answer: Dhcp4Message,
    { address = SERVER, mac: srcMac = this.hosts.get(SERVER) ?? SERVER_MAC, beside = false } = {},
  ): void {
    const payload = emitDhcp4(answer);
    const dst = answer.broadcast ? IPV4_BROADCAST : answer.yiaddr;
    const frame = emitUdp4Frame({
      srcMac,
      dstMac: answer.broadcast ? BROADCAST_MAC : answer.chaddr,
      src: address,
      dst,
      srcPort: 67,
      dstPort: 68,
      payload,
    });
    const isOutgoing = beside && answer.broadcast;
    for (const pod of this.pods.values()) {
      // In the kernel, before anybody reads what the tap has.
      const isForIt = !answer.broadcast && pod.link.mac === answer.chaddr && pod.has(dst);
      if (isForIt && !pod.held.has(dst) && !pod.portTaken) this.refused.push(dst);
    }
    for (const [index, tap] of this.taps) if (!this.gone.has(index) && !isOutgoing) tap(frame, true);
    for (const pod of this.pods.values()) {
      const reached = answer.broadcast || pod.link.mac === answer.chaddr;
      if (reached) for (const socket of Array.from(pod.sockets)) socket.hear(frame);
    }
  }
}

/** What a tap hears of all senders: everything but ordinary questions. */
function isOfNote({ op, senderIp, targetIp }: ArpPacket): boolean {
  return op === 'reply' || senderIp === IPV4_ANY || senderIp === targetIp;
}

/** Of an Ethernet frame: where it goes. */
function addresseeOf(frame: Uint8Array): Mac {
  return macFromBytes(frame, 0);
}
