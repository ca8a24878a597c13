import { IPV4_ANY, type Ipv4 } from '../base/ipv4.ts';
import { type Mac } from '../base/mac.ts';
import { isSysError, SysError } from '../base/sys-error.ts';
import { onGrain, later, millis, seconds } from '../base/time.ts';
import { probe } from '../protocol/acd4/packets.ts';
import { emitArpToAll, parseArpFrame } from '../wire/arp.ts';
import { parseUdp4Frame } from '../wire/ip/udp4.ts';
import { isHostMac, QUESTION_PAUSE, QUESTIONS } from './arp-question.ts';
import { isPodGone, openPodOf } from './pod-of-lease.ts';
import type { FramePort, LeaseWorld, PodNamespace } from './ports.ts';
import type { LeaseIdentity } from './record.ts';

/** How long port 68 is held when an exchange is over, at least. */
const LINGER = seconds(1);
/** Those of a node that are over within so long are let go together: one wake-up for all. */
const LINGERS_TOGETHER = millis(250);

/** A datagram to port 68 that the pod's interface heard; `from` and `mac` are its sender by the headers. */
export type HeardInPod = (payload: Uint8Array, from: Ipv4, mac: Mac) => void;

type Question = { readonly address: Ipv4; readonly settle: (mac: Mac | undefined) => void };

/**
 * What one exchange has in the pod's namespace: a packet socket on its interface, where there is no uplink or a server
 * beside the pod hears nothing from there, and UDP port 68, held so that the pod's kernel refuses nobody. Both only as
 * long as they are needed: an open socket keeps a namespace alive, with its links, that has no name and no process any
 * more.
 */
export class PodPort {
  readonly #world: LeaseWorld;
  readonly #identity: LeaseIdentity;
  readonly #heard: HeardInPod;
  readonly #questions = new Set<Question>();
  #frames: FramePort | undefined;
  #held: (ReturnType<PodNamespace['holdClientPort']> & { readonly address: Ipv4 }) | undefined;
  #cancelLinger: (() => void) | undefined;

  constructor(world: LeaseWorld, identity: LeaseIdentity, heard: HeardInPod) {
    this.#world = world;
    this.#identity = identity;
    this.#heard = heard;
  }

  /** Sends a whole frame out of the pod's interface and listens there from now on. Undefined when the kernel took it. */
  send(frame: Uint8Array): SysError | undefined {
    try {
      return this.#open().send(frame);
    } catch (error) {
      if (!isSysError(error)) throw error;
      return error;
    }
  }

  /**
   * Who answers ARP for this address beside the pod, asked with its own MAC address; undefined when nobody does within
   * 300 ms, or the question cannot be sent.
   */
  async ask(address: Ipv4): Promise<Mac | undefined> {
    const { clock, timers } = this.#world;
    const { mac } = this.#identity.link;
    const frame = emitArpToAll(probe(address, mac));
    const answer = Promise.withResolvers<Mac | undefined>();
    const question = { address, settle: answer.resolve };
    this.#questions.add(question);
    let cancel: (() => void) | undefined;
    const round = (left: number): void => {
      if (left === 0 || this.send(frame) !== undefined) answer.resolve(undefined);
      else cancel = timers.at(later(clock.now(), QUESTION_PAUSE), () => round(left - 1));
    };
    round(QUESTIONS);
    const found = await answer.promise;
    cancel?.();
    this.#questions.delete(question);
    return found;
  }

  /**
   * Holds UDP port 68 of `address`. A process that has the port keeps it. Undefined, or the error where the pod is gone, or
   * its address is (EADDRNOTAVAIL): that one is held all the same, for it may be put back before the answer comes.
   */
  hold(address: Ipv4): SysError | undefined {
    this.#cancelLinger?.();
    const held = this.#held?.address === address && this.#held.hasAddress;
    if (held && !isPodGone(this.#world, this.#identity)) return undefined;
    this.#letGo();
    try {
      const pod = openPodOf(this.#world, this.#identity);
      try {
        this.#held = { address, ...pod.holdClientPort(this.#identity.link.index, address) };
      } finally {
        pod.close();
      }
      if (this.#held.hasAddress) return undefined;
      return new SysError(`look for ${address}`, 'EADDRNOTAVAIL', 'the pod does not have it');
    } catch (error) {
      if (!isSysError(error)) throw error;
      return isSysError(error, 'ENOENT', 'ENOTNS', 'EADDRNOTAVAIL') ? error : undefined;
    }
  }

  /** The error where the pod is gone. */
  gone(): SysError | undefined {
    const { path } = this.#identity.netns;
    if (!isPodGone(this.#world, this.#identity)) return undefined;
    return new SysError(`look for ${path}`, 'ENOENT', 'the pod is gone');
  }

  #open(): FramePort {
    if (this.#frames !== undefined && !isPodGone(this.#world, this.#identity)) return this.#frames;
    this.#frames?.close();
    this.#frames = undefined;
    const pod: PodNamespace = openPodOf(this.#world, this.#identity);
    try {
      const frames = pod.openFrames(this.#identity.link.index);
      this.#frames = frames;
      frames.onFrame((frame, checksumReady) => this.#hear(frame, checksumReady));
      return frames;
    } finally {
      pod.close();
    }
  }

  #hear(frame: Uint8Array, checksumReady: boolean): void {
    const datagram = parseUdp4Frame(frame, { checksumReady });
    if (datagram.ok) {
      const { payload, src, srcMac } = datagram.value;
      this.#heard(payload, src, srcMac);
      return;
    }
    if (datagram.error !== 'not-ipv4') {
      this.#world.count(`frame-dropped:${datagram.error}`);
      return;
    }
    const arp = parseArpFrame(frame);
    if (!arp.ok || arp.value.senderIp === IPV4_ANY) return;
    const { senderIp, senderMac } = arp.value;
    if (senderMac === this.#identity.link.mac || !isHostMac(senderMac)) return;
    for (const question of this.#questions) if (question.address === senderIp) question.settle(senderMac);
  }

  #letGo(): void {
    this.#cancelLinger?.();
    this.#held?.end();
    this.#held = undefined;
  }

  /**
   * Nothing is heard any more and questions are given up. The port is held for another second: the answer that ended the
   * exchange may be read from the tap before the pod's kernel has it, and a server that heard the message twice, from the
   * uplink and from the pod, answers twice. It may be used again.
   */
  rest(): void {
    for (const question of this.#questions) question.settle(undefined);
    this.#frames?.close();
    this.#frames = undefined;
    if (this.#held === undefined) return;
    const { clock, timers } = this.#world;
    this.#cancelLinger?.();
    const together = onGrain(later(clock.now(), LINGER), LINGERS_TOGETHER);
    this.#cancelLinger = timers.at(together, () => this.#letGo());
  }

  /** The same, and the port is free at once. */
  close(): void {
    this.rest();
    this.#letGo();
  }
}
