import { IPV4_ANY, type Ipv4 } from '../../../src/base/ipv4.ts';
import { type Mac, mac } from '../../../src/base/mac.ts';
import { SysError } from '../../../src/base/sys-error.ts';
import { AddressGuard } from '../../../src/lease/guard.ts';
import { Inbox } from '../../../src/lease/inbox.ts';
import type { ArpPort, LinkState, PodNamespace } from '../../../src/lease/ports.ts';
import type { LeaseIdentity } from '../../../src/lease/record.ts';
import { type ArpPacket, emitArpFrame, parseArpFrame } from '../../../src/wire/arp.ts';
import { VirtualTime } from './time.ts';

export const UPLINK = 2;
export const LINK = 7;
export const OWN = mac('02:00:5e:10:00:01');
const BROADCAST = mac('ff:ff:ff:ff:ff:ff');
const NETNS = { path: '/run/netns/pod', inode: '4026531841' };
const UNUSED = (): never => {
  throw new Error('a guard has no use for this');
};

class FakeArpPort implements ArpPort {
  readonly #lan: ArpLan;
  #callback: ((packet: ArpPacket) => void) | undefined;

  constructor(lan: ArpLan) {
    this.#lan = lan;
    lan.ports.add(this);
  }

  send(packet: ArpPacket): SysError | undefined {
    return this.#lan.take(packet);
  }

  onPacket(callback: (packet: ArpPacket) => void): void {
    if (this.#callback !== undefined) throw new Error('a second listener');
    if (this.#lan.deafPort) throw new SysError('poll', 'EMFILE');
    this.#callback = callback;
  }

  /** As a careless port would: even when it is closed. */
  hear(packet: ArpPacket): void {
    this.#callback?.(packet);
  }

  close(): void {
    if (!this.#lan.ports.delete(this)) throw new Error('closed twice');
  }
}

/** One pod's namespace and the LAN around it: who has which address there, what is sent, what is left open. */
export class ArpLan {
  readonly time = new VirtualTime('boot-1');
  readonly owners = new Map<Ipv4, Mac>();
  /** From the pod. */
  readonly sent: string[] = [];
  readonly sentByUplink: string[] = [];
  uplink: LinkState & { readonly mac: Mac } = {
    index: UPLINK,
    name: 'uplink0',
    mac: mac('02:00:5e:00:00:02'),
    mtu: 1500,
    up: true,
    lowerUp: true,
  };
  readonly counted: string[] = [];
  readonly conflicts: Mac[] = [];
  readonly ports = new Set<FakeArpPort>();
  openHandles = 0;
  inode = NETNS.inode;
  /** Of the pod. */
  interfaces: readonly Mac[] = [OWN];
  /** How often it was looked which those are. */
  looks = 0;
  openError: Error | undefined;
  sendError: SysError | undefined;
  deafPort = false;
  /** Who has an address hears nothing of the uplink, such as a macvlan on it. */
  deafUplink = false;
  /** Macvlans of others on the uplink. */
  strangers = true;
  /** How often pods may ask their siblings where nobody waits for it. */
  siblingsAsked = 0;
  onConflict: () => void = () => undefined;
  readonly inbox: Inbox;
  #tap: ((frame: Uint8Array, checksumReady: boolean) => void) | undefined;
  readonly #from = this.time.now();

  constructor() {
    this.inbox = new Inbox(
      (_index, onFrame) => {
        this.#tap = onFrame;
        return {
          attached: () => true,
          letIn: () => () => undefined,
          hearClaims: () => undefined,
          close: () => undefined,
        };
      },
      (event) => this.counted.push(event),
      // Its filters are no matter of a guard, and their timers none that a guard leaves behind.
      { clock: this.time, timers: { at: () => () => undefined } },
    );
    this.inbox.listen(UPLINK);
  }

  guard(uplinkIndex = UPLINK): AddressGuard {
    return this.#guard(uplinkIndex);
  }

  guardWithoutUplink(): AddressGuard {
    return this.#guard(undefined);
  }

  #guard(uplinkIndex: number | undefined): AddressGuard {
    const identity = {
      bootId: this.time.bootId,
      key: { containerId: 'pod', network: 'lan', ifname: 'eth0' },
      netns: NETNS,
      link: { index: LINK, mac: OWN, owned: true },
      uplinkIndex,
      lan: uplinkIndex === undefined ? undefined : { index: uplinkIndex, name: 'uplink0' },
    } as LeaseIdentity;
    const world = {
      clock: this.time,
      timers: this.time,
      random: () => 0.5,
      log: { debug: () => undefined, info: () => undefined, warn: () => undefined },
      openPod: () => this.openPod(),
      frames: {
        send: (_index: number, frame: Uint8Array) => this.takeFromUplink(frame),
        link: () => this.uplink,
      },
      count: (event: string): void => void this.counted.push(event),
    };
    const parts = {
      world,
      inbox: this.inbox,
      strangers: { areOn: async () => this.strangers },
      siblingsAsked: { take: () => this.siblingsAsked-- > 0 },
    };
    return new AddressGuard(parts, identity, (by) => {
      this.conflicts.push(by);
      this.onConflict();
    });
  }

  openPod(): PodNamespace {
    this.openHandles += 1;
    return {
      inode: this.inode,
      openArp: (index) => {
        if (this.openError !== undefined) throw this.openError;
        if (index !== LINK) throw new SysError('open ARP', 'ENODEV');
        return new FakeArpPort(this);
      },
      close: () => {
        this.openHandles -= 1;
      },
      macs: () => {
        this.looks += 1;
        return Promise.resolve(this.interfaces);
      },
      link: UNUSED,
      sight: UNUSED,
      follow: UNUSED,
      setUp: UNUSED,
      configure: UNUSED,
      leasedAddresses: UNUSED,
      ensureAddress: UNUSED,
      removeAddress: UNUSED,
      say: UNUSED,
      openFrames: UNUSED,
      resetConnections: UNUSED,
      hasAddress: UNUSED,
      holdClientPort: UNUSED,
    };
  }

  take(packet: ArpPacket): SysError | undefined {
    if (this.sendError !== undefined) return this.sendError;
    const what = packet.senderIp === IPV4_ANY ? 'probe' : 'announce';
    this.sent.push(`${this.time.now() - this.#from} ${what} ${packet.targetIp}`);
    const owner = this.owners.get(packet.targetIp);
    if (owner === undefined) return undefined;
    const answer: ArpPacket = {
      op: 'reply',
      senderMac: owner,
      senderIp: packet.targetIp,
      targetMac: packet.senderMac,
      targetIp: packet.senderIp,
    };
    this.time.at(this.time.now(), () => this.hearOnPorts(answer));
    return undefined;
  }

  /** A question that leaves by the uplink itself: its answer comes to the uplink, and no pod hears it. */
  takeFromUplink(frame: Uint8Array): SysError | undefined {
    const packet = parseArpFrame(frame);
    if (!packet.ok) throw new Error('no ARP');
    const { targetIp, senderMac } = packet.value;
    this.sentByUplink.push(`${this.time.now() - this.#from} probe ${targetIp}`);
    const owner = this.owners.get(targetIp);
    if (owner === undefined || this.deafUplink) return undefined;
    const answer = {
      op: 'reply',
      senderMac: owner,
      senderIp: targetIp,
      targetMac: senderMac,
      targetIp: IPV4_ANY,
    } as const;
    this.time.at(this.time.now(), () => this.hearOnTap(answer));
    return undefined;
  }

  hearOnPorts(packet: ArpPacket): void {
    for (const port of this.ports) port.hear(packet);
  }

  hearOnTap(packet: ArpPacket): void {
    this.#tap?.(emitArpFrame(packet.senderMac, BROADCAST, packet), true);
  }

  /** What may not be left when nothing is looked after. */
  get left(): object {
    return { ports: this.ports.size, handles: this.openHandles, timers: this.time.pending };
  }
}
