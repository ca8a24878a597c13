import { IPV4_ANY, type Ipv4 } from '../base/ipv4.ts';
import { isMulticastMac, isZeroMac, type Mac } from '../base/mac.ts';
import { isSysError, type SysError } from '../base/sys-error.ts';
import { later, millis } from '../base/time.ts';
import { probe } from '../protocol/acd4/packets.ts';
import { type ArpPacket, emitArpToAll } from '../wire/arp.ts';
import type { HostFrames, LeaseWorld } from './ports.ts';

/** PROBE_NUM of RFC 5227 1.1, at the pace of a host that somebody waits for. */
export const QUESTIONS = 3;
export const QUESTION_PAUSE = millis(100);

/** What one machine can have (IEEE 802: neither a group's nor none). */
export function isHostMac(address: Mac): boolean {
  return !isMulticastMac(address) && !isZeroMac(address);
}

/** The part of the inbox that is needed here. */
export interface ArpEars {
  listen(index: number): void;
  watchArp(address: Ipv4, watcher: (packet: ArpPacket, uplinkIndex: number) => void): () => void;
}

/** The host's interface that asks. */
export type Asker = { readonly index: number; readonly mac: Mac };

/**
 * "Has anybody this address?" out of an interface of the host, with this MAC. Undefined when the kernel took the question.
 * Without a sender's IP address no cache learns anything wrong.
 */
export function askWho(frames: HostFrames, { index, mac }: Asker, address: Ipv4): SysError | undefined {
  return frames.send(index, emitArpToAll(probe(address, mac)));
}

/**
 * An address that the host asks for by ARP, and the first good answer, or that of who is expected: anybody can be quick with
 * a lie, and who had the address before is the more likely. To be ended by whoever made it.
 */
export class ArpQuestion {
  readonly address: Ipv4;
  readonly end: () => void;
  readonly #asker: Asker;
  #answer: Mac | undefined;

  /** `probesCount`: who probes for the address is about to use it. `onAnswer` is told when no better answer can come. */
  constructor(
    ears: ArpEars,
    address: Ipv4,
    asker: Asker,
    options: {
      readonly probesCount: boolean;
      readonly expected?: Mac | undefined;
      readonly onAnswer?: () => void;
    },
  ) {
    this.address = address;
    this.#asker = asker;
    this.end = ears.watchArp(address, ({ op, senderIp, senderMac, targetIp }, heardOn) => {
      if (heardOn !== asker.index) return;
      const probes = op === 'request' && senderIp === IPV4_ANY && targetIp === address;
      if (senderIp !== address && !(probes && options.probesCount)) return;
      // What we send ourselves comes back from the tap.
      if (senderMac === asker.mac || !isHostMac(senderMac)) return;
      const { expected, onAnswer } = options;
      if (senderMac === expected) this.#answer = senderMac;
      else this.#answer ??= senderMac;
      if (expected === undefined || senderMac === expected) onAnswer?.();
    });
  }

  get answer(): Mac | undefined {
    return this.#answer;
  }

  /** Undefined when the kernel took the question. */
  ask(frames: HostFrames): SysError | undefined {
    return askWho(frames, this.#asker, this.address);
  }

  /** What was answered counts no more. */
  forget(): void {
    this.#answer = undefined;
  }
}

/** Undefined when what is said on the LAN is heard. */
export function listenFor(ears: ArpEars, { index }: Pick<Asker, 'index'>): SysError | undefined {
  try {
    ears.listen(index);
    return undefined;
  } catch (error) {
    if (isSysError(error)) return error;
    throw error;
  }
}

/** Until it is time to ask again, or to take silence for an answer; `signal` ends it earlier. */
export async function questionPause(
  { clock, timers }: Pick<LeaseWorld, 'clock' | 'timers'>,
  signal: AbortSignal,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const wake = (): void => resolve();
  const cancel = timers.at(later(clock.now(), QUESTION_PAUSE), wake);
  signal.addEventListener('abort', wake, { once: true });
  if (signal.aborted) wake();
  await promise;
  cancel();
  signal.removeEventListener('abort', wake);
}
