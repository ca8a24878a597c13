import { IPV4_ANY, IPV4_BROADCAST, type Ipv4 } from '../base/ipv4.ts';
import { BROADCAST_MAC, type Mac } from '../base/mac.ts';
import { isSysError, type SysError } from '../base/sys-error.ts';
import { between, type Duration, later, millis } from '../base/time.ts';
import type { Source } from '../protocol/dhcp4/source.ts';
import type { Via } from '../protocol/dhcp4/step.ts';
import type { Dhcp4Message } from '../wire/dhcp4/message.ts';
import { DHCP_SERVER_PORT, dhcpFrame } from './dhcp-frame.ts';
import type { Inbox, Origin, Recipient } from './inbox.ts';
import { isPodGone, openPodOf } from './pod-of-lease.ts';
import type { LeaseWorld, PodNamespace, UdpPort } from './ports.ts';
import type { LeaseIdentity } from './record.ts';
import { Vetting } from './vetting.ts';

/** While a datagram waits for ARP, it is looked at again after 1, 2, 4 ... ms. */
const LONGEST_DRAIN_PAUSE = millis(20);

/**
 * How answers to a message are heard. `tap`: at the uplink, where the wire and what siblings send by unicast arrive;
 * `siblings`: what they broadcast, too; `socket`: by the pod's own, where there is no tap.
 */
export type Hearing = 'tap' | 'siblings' | 'socket';

export type Asking = {
  readonly hearing: Hearing;
  /** A socket of the pod has a source address whether it wants it or not. */
  readonly hasAddress: boolean;
  /** What could leave by the uplink or by the pod leaves by the uplink. */
  readonly byUplink: boolean;
};

export type ExchangeMeans = {
  /** So many pods that a message costs the kernel more than a hop to another thread costs us. */
  readonly isCrowded: () => boolean;
  /** Whether another pod of this node has this MAC address on the same uplink. */
  readonly isSibling: (address: Mac, but: LeaseIdentity) => boolean;
};

/** The client whose exchange it is. */
export type Listener = Omit<Recipient, 'chaddr' | 'deliver'> & {
  readonly deliver: (message: Dhcp4Message, source: Source) => void;
};

/** The socket and the place in the inbox of one client, there only while an exchange is under way. */
export class Exchange {
  readonly #world: LeaseWorld;
  readonly #inbox: Inbox;
  readonly #identity: LeaseIdentity;
  readonly #recipient: Recipient;
  readonly #vetting: Vetting;
  readonly #isCrowded: () => boolean;
  readonly #isSibling: (address: Mac) => boolean;
  #lent: PodNamespace | undefined;
  #udp: UdpPort | undefined;
  #listening = false;
  #unregister: (() => void) | undefined;
  #deafen: (() => void) | undefined;
  /** Where the last lease came from, by its Ethernet source: the server, a relay agent, the router. */
  #server: Mac | undefined;

  constructor(
    world: LeaseWorld,
    inbox: Inbox,
    identity: LeaseIdentity,
    listener: Listener,
    means: ExchangeMeans,
  ) {
    this.#isCrowded = means.isCrowded;
    this.#isSibling = (address) => means.isSibling(address, identity);
    this.#world = world;
    this.#inbox = inbox;
    this.#identity = identity;
    this.#vetting = new Vetting(world, inbox, identity, listener);
    this.#recipient = {
      ...listener,
      chaddr: identity.config.chaddr,
      deliver: (message, origin) => {
        if (this.#isBelieved(origin)) this.#vetting.hear(message, origin);
        else world.count('message-ignored:from-the-pod-itself');
      },
    };
  }

  /**
   * Whoever is root in a pod can send to its own interface what looks like a server's answer, by that interface or by a
   * macvlan beside it on the uplink. What leaves by the uplink is believed from another pod of this node alone.
   */
  #isBelieved({ mac, outgoing = false }: Origin): boolean {
    if (mac === undefined) return true;
    return mac !== this.#identity.config.chaddr && (!outgoing || this.#isSibling(mac));
  }

  /** A lease came from there. */
  leasedFrom({ mac }: Pick<Origin, 'mac'>): void {
    this.#server = mac;
  }

  /** Sends what has an answer, and listens for it. `failed` is told, now or soon, when it cannot be sent. */
  ask(bytes: Uint8Array, via: Via, how: Asking, failed: (error: SysError) => void): void {
    // A socket that waits for answers is bound to no address: a NAK comes as a broadcast (RFC 2131 4.3.2).
    const udp = this.#openOr(IPV4_ANY, failed);
    if (udp === undefined) return;
    this.#hear(udp, how.hearing);
    if (this.#sendFromHost(bytes, via, how)) return;
    if (via.kind === 'broadcast' && this.#isCrowded()) {
      void udp.sendOffLoop(bytes, destination(via), DHCP_SERVER_PORT).then((error) => {
        if (error !== undefined && this.#udp === udp) failed(error);
      });
      return;
    }
    const error = udp.send(bytes, destination(via), DHCP_SERVER_PORT);
    if (error !== undefined) failed(error);
  }

  /**
   * By the uplink, with the pod's MAC address. False where that does not do: there is no uplink, or the server is on
   * another macvlan of it, which hears nothing from there. What has no source address is sent in no other way. What asks
   * for more of a lease is best sent so: no pod sees it, and whoever does not know its xid cannot answer it.
   */
  #sendFromHost(bytes: Uint8Array, via: Via, { hasAddress, byUplink }: Asking): boolean {
    const { lan, uplinkIndex, config } = this.#identity;
    if (lan === undefined || !hasAddress) return false;
    const isBeside = this.#server !== undefined && this.#isSibling(this.#server);
    const mayGo = byUplink && uplinkIndex !== undefined && !isBeside;
    const to = via.kind === 'unicast' ? this.#server : BROADCAST_MAC;
    if (to === undefined || (via.from !== IPV4_ANY && !mayGo)) return false;
    const from = { mac: config.chaddr, address: via.from };
    const frame = dhcpFrame(from, { mac: to, address: destination(via) }, bytes);
    return this.#world.frames.send(lan.index, frame) === undefined;
  }

  /** Sends what nobody answers. Undefined when the kernel took it. */
  tell(bytes: Uint8Array, via: Via): SysError | undefined {
    let refused: SysError | undefined;
    const udp = this.#openOr(via.from, (error) => {
      refused = error;
    });
    return udp === undefined ? refused : udp.send(bytes, destination(via), DHCP_SERVER_PORT);
  }

  #openOr(localAddress: Ipv4, failed: (error: SysError) => void): UdpPort | undefined {
    try {
      return this.#open(localAddress);
    } catch (error) {
      if (!isSysError(error)) throw error;
      failed(error);
      return undefined;
    }
  }

  /** While somebody has the pod's namespace open anyway, it need not be opened again; undefined when he closes it. */
  lend(pod: PodNamespace | undefined): void {
    this.#lent = pod;
  }

  #open(localAddress: Ipv4): UdpPort {
    // An open socket keeps a namespace alive, with its links, that has no name and no process any more.
    const kept = localAddress === IPV4_ANY ? this.#udp : undefined;
    if (kept !== undefined && !isPodGone(this.#world, this.#identity)) return kept;
    this.#closeSocket();
    const pod = this.#lent ?? openPodOf(this.#world, this.#identity);
    try {
      this.#udp = this.#openIn(pod, localAddress);
      return this.#udp;
    } finally {
      if (pod !== this.#lent) pod.close();
    }
  }

  /** Sockets are bound to interfaces by name, and somebody may have given ours another one. */
  #openIn(pod: PodNamespace, localAddress: Ipv4): UdpPort {
    const { key, link } = this.#identity;
    try {
      return pod.openUdp({ ifname: key.ifname, localAddress });
    } catch (error) {
      const now = isSysError(error, 'ENODEV') ? pod.sight(link.index, undefined)?.name : undefined;
      if (now === undefined || now === key.ifname) throw error;
      return pod.openUdp({ ifname: now, localAddress });
    }
  }

  #hear(udp: UdpPort, hearing: Hearing): void {
    this.#unregister ??= this.#inbox.register(this.#recipient);
    const { uplinkIndex } = this.#identity;
    if (hearing === 'siblings' && uplinkIndex !== undefined) {
      this.#deafen ??= this.#inbox.hearOutgoing(uplinkIndex);
    }
    if (this.#listening || hearing !== 'socket') return;
    this.#listening = true;
    udp.onMessage((bytes, from) => this.#inbox.payloadFor(this.#recipient, bytes, from));
  }

  /** Waits until the kernel has sent what was given to it (a RELEASE may wait for ARP). False after `limit`. */
  async drain(limit: Duration): Promise<boolean> {
    const { clock, timers } = this.#world;
    const from = clock.now();
    for (let pause = millis(1); this.#udp !== undefined && this.#udp.pendingBytes() > 0;) {
      if (between(from, clock.now()) > limit) return false;
      const at = later(clock.now(), pause);
      await new Promise<void>((resolve) => timers.at(at, resolve));
      pause = millis(Math.min(pause * 2, LONGEST_DRAIN_PAUSE));
    }
    return true;
  }

  /** Nothing is expected any more: no socket, no place in the inbox. A lease that only waits costs a timer. */
  end(): void {
    this.#unregister?.();
    this.#unregister = undefined;
    this.#deafen?.();
    this.#deafen = undefined;
    this.#vetting.end();
    this.#closeSocket();
  }

  #closeSocket(): void {
    this.#udp?.close();
    this.#udp = undefined;
    this.#listening = false;
  }
}

function destination(via: Via): Ipv4 {
  return via.kind === 'unicast' ? via.to : IPV4_BROADCAST;
}
