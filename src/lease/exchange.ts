import { IPV4_BROADCAST, type Ipv4 } from '../base/ipv4.ts';
import { BROADCAST_MAC, type Mac } from '../base/mac.ts';
import { isSysError, type SysError } from '../base/sys-error.ts';
import { probe } from '../protocol/acd4/packets.ts';
import type { Source } from '../protocol/dhcp4/source.ts';
import type { Via } from '../protocol/dhcp4/step.ts';
import type { Dhcp4Message } from '../wire/dhcp4/message.ts';
import { emitArpToAll } from '../wire/arp.ts';
import type { Allowance } from './allowance.ts';
import { dhcpFrame } from './dhcp-frame.ts';
import type { Inbox, Origin, Recipient } from './inbox.ts';
import { PodPort } from './pod-port.ts';
import type { LeaseWorld } from './ports.ts';
import type { LeaseIdentity, LeaseKey } from './record.ts';
import { Vetting } from './vetting.ts';
import type { Ways } from './ways.ts';

export type Asking = {
  /** How often this was asked, this time included. */
  readonly tries: number;
  /** What the pod has while it asks for more of it; undefined: nothing. */
  readonly address: Ipv4 | undefined;
  /** It is not sure that the lease is of this network (RFC 2131 3.7). */
  readonly isVerified: boolean;
  /** Who takes what is for the server: the server itself, or the router to it; undefined: nobody can say. */
  readonly hop: Ipv4 | undefined;
};

export type ExchangeMeans = {
  /** Whether another pod of this node, or the node by its shim, has this MAC address on the same uplink. */
  readonly isSibling: (address: Mac, but: LeaseIdentity) => boolean;
  readonly ways: Ways;
  /** What leaves by a pod's interface is copied to all its siblings: so not much of that. */
  readonly beside: Allowance;
  /** Something is not as it should be in the pod of this lease: it is looked at. */
  readonly suspect: (key: LeaseKey) => void;
};

/** The client whose exchange it is. */
export type Listener = Omit<Recipient, 'chaddr' | 'deliver'> & {
  readonly deliver: (message: Dhcp4Message, source: Source) => void;
};

/**
 * How the messages of one client leave and how their answers are heard; there only while an exchange is under way.
 *
 * Where the pod has an uplink, that is the wire: messages leave by it as whole frames with the pod's MAC address, which is
 * what a macvlan does with them after its siblings have had their copies, and its tap hears the answers. Nothing in the
 * pod has a say in that. What a server beside the pod, in another pod of the node or on the node behind its shim, would
 * have to hear leaves by the pod's interface as well: from the second try on, and in REBINDING. Without an uplink (a veth, a link inside a container) all
 * of it goes by a packet socket in the pod.
 */
export class Exchange {
  readonly #world: LeaseWorld;
  readonly #inbox: Inbox;
  readonly #identity: LeaseIdentity;
  readonly #recipient: Recipient;
  readonly #vetting: Vetting;
  readonly #means: ExchangeMeans;
  readonly #pod: PodPort;
  #unregister: (() => void) | undefined;
  #shutOut: (() => void) | undefined;
  /** What waited for ARP is not sent any more when the next message is, or nothing is to be said. */
  #turn = 0;
  /** In the exchange that is under way something has left by the pod's interface, and a sibling has answered. */
  #beside: { asked: boolean; answered: boolean } = { asked: false, answered: false };
  /** Where the last lease came from, by its Ethernet source: the server, a relay agent, the router. */
  #server: Mac | undefined;

  constructor(
    world: LeaseWorld,
    inbox: Inbox,
    identity: LeaseIdentity,
    listener: Listener,
    means: ExchangeMeans & { readonly leasedFrom: Mac | undefined },
  ) {
    this.#world = world;
    this.#inbox = inbox;
    this.#identity = identity;
    this.#means = means;
    this.#server = means.leasedFrom;
    this.#vetting = new Vetting(world, inbox, identity, listener);
    this.#recipient = {
      ...listener,
      chaddr: identity.config.chaddr,
      deliver: (message, origin) => {
        if (this.#isBelieved(origin)) {
          this.#noteBeside(origin);
          this.#vetting.hear(message, origin);
        } else if (origin.beside !== true || origin.mac === identity.config.chaddr)
          world.count('message-ignored:from-the-pod-itself');
      },
    };
    this.#pod = new PodPort(world, identity, (payload, address, mac) => {
      const origin = { address, mac, beside: this.#uplink !== undefined };
      this.#inbox.payloadFor(this.#recipient, payload, origin);
    });
  }

  /** The uplink, while its tap hears something. */
  get #uplink(): number | undefined {
    const { uplinkIndex } = this.#identity;
    return uplinkIndex !== undefined && this.#inbox.hears(uplinkIndex) ? uplinkIndex : undefined;
  }

  /**
   * Whoever is root in a pod can send to its own interface what looks like a server's answer, by that interface or by a
   * macvlan beside it on the uplink. What is heard in the pod, and not at the uplink, is believed from another pod of this
   * node, or the node itself, alone.
   */
  #isBelieved({ mac, beside = false }: Origin): boolean {
    return mac !== this.#identity.config.chaddr && (!beside || this.#isSibling(mac));
  }

  #isSibling(address: Mac): boolean {
    return this.#means.isSibling(address, this.#identity);
  }

  #noteBeside({ mac }: Origin): void {
    // One that answers what the uplink sends has heard it.
    if (this.#beside.asked && mac !== undefined && this.#isSibling(mac)) this.#beside.answered = true;
  }

  /** Whether a sibling has answered, which heard nothing of the first tries: they say nothing of what it takes. */
  get answeredBeside(): boolean {
    return this.#beside.answered;
  }

  /** A lease came from there. */
  leasedFrom({ mac }: Pick<Origin, 'mac'>): void {
    this.#server = mac;
  }

  get server(): Mac | undefined {
    return this.#server;
  }

  /** Sends what has an answer, and listens for it. `failed` is told, now or soon, when it cannot be sent. */
  ask(bytes: Uint8Array, via: Via, how: Asking, failed: (error: SysError) => void): void {
    this.#turn += 1;
    this.#unregister ??= this.#inbox.register(this.#recipient);
    const missing = this.#missing(how);
    // An address that somebody took off is no reason not to ask for more of it, but one to look at the pod.
    if (isSysError(missing, 'EADDRNOTAVAIL')) this.#means.suspect(this.#identity.key);
    else if (missing !== undefined) {
      failed(missing);
      return;
    }
    if (how.address !== undefined && isLate(via, how)) this.#standIn(how.address, how);
    const to = this.#addressee(via, how);
    if (to !== undefined) {
      const error = this.tell(bytes, via, to);
      if (error !== undefined) failed(error);
    } else if (how.hop !== undefined) {
      void this.#askWhenFound(bytes, via, how.hop, failed);
    }
    if (!this.#isAskedBeside(via, how)) return;
    this.#beside.asked = true;
    this.#tellBeside(bytes, via, how.hop);
  }

  /** Why nothing is sent for the pod any more. What it has is kept from refusing the answer. */
  #missing({ address }: Asking): SysError | undefined {
    return address === undefined ? this.#pod.gone() : this.#pod.hold(address);
  }

  /** At once, if it is known who takes the message. The way of before may be the reason why nobody has answered. */
  #addressee(via: Via, { tries, hop }: Asking): Mac | undefined {
    if (via.kind === 'broadcast') return BROADCAST_MAC;
    if (this.#server === undefined) return undefined;
    // Without a hop there is nobody to ask for.
    return tries === 1 || hop === undefined || this.#isSibling(this.#server) ? this.#server : undefined;
  }

  async #askWhenFound(
    bytes: Uint8Array,
    via: Via,
    hop: Ipv4,
    failed: (error: SysError) => void,
  ): Promise<void> {
    const turn = this.#turn;
    const to = (await this.find(hop)) ?? this.#server;
    if (turn !== this.#turn) return;
    if (to === undefined) {
      this.#world.count('server-not-found');
      return;
    }
    const error = this.tell(bytes, via, to);
    if (error !== undefined) failed(error);
  }

  /**
   * The answer may not find the pod. A macvlan that is down gets nothing from a network card that filters by address; and
   * the server's kernel may have to ask by ARP where the pod is, which a pod without its address or with filters of its
   * own does not say. So the server is told, by a question for its own address (RFC 826). Not while a lease is verified:
   * this may be another network, where the address is somebody else's.
   */
  #standIn(address: Ipv4, { hop, isVerified }: Asking): void {
    const uplink = this.#uplink;
    if (uplink === undefined) return;
    const { mac } = this.#identity.link;
    this.#shutOut ??= this.#inbox.letIn(uplink, mac);
    if (hop === undefined || isVerified) return;
    const question = { ...probe(hop, mac), senderIp: address };
    this.#world.frames.send(uplink, emitArpToAll(question));
  }

  /** Who has answered at the uplink need not be looked for elsewhere at once; who has answered beside hears what follows. */
  #isAskedBeside(via: Via, how: Asking): boolean {
    if (this.#uplink === undefined) return false;
    const goesOn = this.#beside.answered && how.tries === 1;
    return goesOn || (isLate(via, how) && this.#means.beside.take());
  }

  /** By the pod's interface, for its siblings. What goes wrong there is no news: it has left by the uplink. */
  #tellBeside(bytes: Uint8Array, via: Via, hop: Ipv4 | undefined): void {
    if (via.kind === 'broadcast') {
      this.#pod.send(this.#frame(bytes, via, BROADCAST_MAC));
      return;
    }
    if (hop === undefined) return;
    const turn = this.#turn;
    void this.#pod.ask(hop).then((mac) => {
      if (turn !== this.#turn || mac === undefined || !this.#isSibling(mac)) return;
      this.#pod.send(this.#frame(bytes, via, mac));
    });
  }

  /** Where the machine is that has this address on the pod's LAN; undefined when nobody answers within 300 ms. */
  async find(hop: Ipv4): Promise<Mac | undefined> {
    if (this.#uplink === undefined) return this.#pod.ask(hop);
    // It lives, and hears no question from the uplink.
    if (this.#server !== undefined && this.#isSibling(this.#server)) return this.#server;
    return this.#means.ways.find(this.#identity, hop, this.#server);
  }

  /** Sends a message to an Ethernet address. Undefined when the kernel took it. */
  tell(bytes: Uint8Array, via: Via, to: Mac): SysError | undefined {
    const frame = this.#frame(bytes, via, to);
    const uplink = this.#uplink;
    // What goes to a sibling is not for the wire.
    if (uplink === undefined || this.#isSibling(to)) return this.#pod.send(frame);
    return this.#world.frames.send(uplink, frame);
  }

  /** A message to all that nobody answers: a DECLINE. A server beside the pod has to hear it, too. */
  tellAll(bytes: Uint8Array, via: Via): SysError | undefined {
    const failed = this.tell(bytes, via, BROADCAST_MAC);
    const isBeside = this.#server !== undefined && this.#isSibling(this.#server);
    if (isBeside && this.#uplink !== undefined) this.#tellBeside(bytes, via, undefined);
    return failed;
  }

  #frame(bytes: Uint8Array, via: Via, to: Mac): Uint8Array {
    const { chaddr } = this.#identity.config;
    const address = via.kind === 'unicast' ? via.to : IPV4_BROADCAST;
    return dhcpFrame({ mac: chaddr, address: via.from }, { mac: to, address }, bytes);
  }

  /** Nothing is expected any more: no socket, no place in the inbox. A lease that only waits costs a timer. */
  end(): void {
    this.#turn += 1;
    this.#beside = { asked: false, answered: false };
    this.#unregister?.();
    this.#unregister = undefined;
    this.#shutOut?.();
    this.#shutOut = undefined;
    this.#vetting.end();
    this.#pod.rest();
  }

  /** The same, and nothing of it is left in the pod's namespace. */
  close(): void {
    this.end();
    this.#pod.close();
  }
}

/** Nobody has answered so far, or all are asked by who has a lease: REBINDING, and a lease that is verified. */
function isLate(via: Via, { tries, address }: Asking): boolean {
  return tries > 1 || (address !== undefined && via.kind === 'broadcast');
}
