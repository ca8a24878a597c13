import { cidrContains } from '../base/cidr.ts';
import { IPV4_ANY, type Ipv4 } from '../base/ipv4.ts';
import { isMulticastMac, isZeroMac, type Mac, mac } from '../base/mac.ts';
import { err, ok, type Result } from '../base/result.ts';
import { isSysError, type SysError } from '../base/sys-error.ts';
import { later, millis } from '../base/time.ts';
import { probe } from '../protocol/acd4/packets.ts';
import { buildRelease } from '../protocol/dhcp4/build.ts';
import { type Held, leaseOf } from '../protocol/dhcp4/state.ts';
import { newXid } from '../protocol/dhcp4/step.ts';
import { type ArpPacket, emitArpFrame } from '../wire/arp.ts';
import { DHCP_CLIENT_PORT } from '../wire/bpf.ts';
import { emitDhcp4 } from '../wire/dhcp4/message.ts';
import { emitUdp4Frame } from '../wire/ip/udp4.ts';
import type { HostFrames, LeaseWorld } from './ports.ts';
import type { LeaseRecord } from './record.ts';

/** RFC 2131 4.1. */
const DHCP_SERVER_PORT = 67;
/** PROBE_NUM of RFC 5227 1.1, at the pace of a host that somebody waits for. */
const QUESTIONS = 3;
const QUESTION_PAUSE = millis(100);
export const BROADCAST_MAC = mac('ff:ff:ff:ff:ff:ff');

/** What has to be given back, and where the LAN is. */
export type Owed = {
  readonly record: LeaseRecord;
  readonly held: Held;
  readonly lan: { readonly index: number; readonly name: string };
};

/** What becomes of one try. */
export type ReleaseOutcome =
  /** `confirmed`: to a machine that answered ARP; else to all of the LAN, for want of one. */
  | { readonly kind: 'sent'; readonly confirmed: boolean }
  /** The address belongs to somebody now: here by `isInUse`, or to the machine with this MAC. */
  | { readonly kind: 'in-use'; readonly by: 'this node' | Mac }
  /** The LAN cannot be reached. */
  | { readonly kind: 'unreachable'; readonly why: string }
  /** The pod's own MAC answers: its link is still on its way out, or it lives elsewhere with a MAC of its own. */
  | { readonly kind: 'still-there'; readonly why: string }
  | { readonly kind: 'cancelled' };

/** The part of the inbox that is needed here. */
export interface ArpEars {
  listen(index: number): void;
  watchArp(address: Ipv4, watcher: (packet: ArpPacket, uplinkIndex: number) => void): () => void;
}

type Lan = {
  readonly index: number;
  readonly mac: Mac;
  /** It was removed and came back within this boot: perhaps with another network behind it. */
  readonly moved: boolean;
};

type Link = NonNullable<ReturnType<HostFrames['link']>>;

/** An interface as it is now, or why it cannot be seen. */
export function lookAt(frames: HostFrames, name: string): Result<Link, string> {
  try {
    const link = frames.link(name);
    return link === undefined ? err(`there is no interface ${name}`) : ok(link);
  } catch (error) {
    if (isSysError(error)) return err(error.message);
    throw error;
  }
}

/**
 * The interface of the daemon's namespace through which a lease's LAN is reached, if it can carry a frame now; else
 * why not. By its name: the index changes when an adapter is plugged in again, and with every boot.
 */
export function lanOf(
  world: Pick<LeaseWorld, 'clock' | 'frames'>,
  { record, lan }: Pick<Owed, 'record' | 'lan'>,
): Result<Lan, string> {
  const seen = lookAt(world.frames, lan.name);
  if (!seen.ok) return seen;
  const link = seen.value;
  const moved = record.bootId === world.clock.bootId && link.index !== lan.index;
  if (!link.up || !link.lowerUp) return err(`${lan.name} has no carrier`);
  if (link.mac === undefined) return err(`${lan.name} has no MAC address`);
  return ok({ index: link.index, mac: link.mac, moved });
}

/** Who takes the frame on this LAN: the server itself, else the lease's first router; undefined without either. */
function nextHop({ record, held }: Owed): Ipv4 | undefined {
  if (cidrContains(held.address, held.serverId)) return held.serverId;
  return leaseOf(record.state)?.routers[0];
}

/** An address that is asked for, and the first good answer. */
class Question {
  readonly address: Ipv4;
  readonly end: () => void;
  #answer: Mac | undefined;

  /** `probesCount`: who probes for the address is about to use it. */
  constructor(ears: ArpEars, address: Ipv4, lan: Lan, probesCount: boolean) {
    this.address = address;
    this.end = ears.watchArp(address, ({ op, senderIp, senderMac, targetIp }, heardOn) => {
      if (heardOn !== lan.index) return;
      const probes = op === 'request' && senderIp === IPV4_ANY && targetIp === address;
      if (senderIp !== address && !(probes && probesCount)) return;
      // What we send ourselves comes back from the tap.
      if (senderMac === lan.mac || isMulticastMac(senderMac) || isZeroMac(senderMac)) return;
      this.#answer ??= senderMac;
    });
  }

  get answer(): Mac | undefined {
    return this.#answer;
  }

  askAgain(): void {
    this.#answer = undefined;
  }
}

export type ReleaseWorld = Pick<LeaseWorld, 'clock' | 'timers' | 'random' | 'frames' | 'protect'>;

/**
 * Sends one RELEASE for a pod that is not there any more, from the host: a whole frame with the leased address as its
 * source, which the host itself does not have. It takes 300 ms, in which both the way to the server and the leased
 * address are asked for by ARP. The latter because the pod may live on elsewhere: a workload with an identity of its
 * own that was started on another node has the same lease, and this RELEASE would take it away.
 *
 * `isInUse`: whether this node's own pods have the address or the identity, which ARP from the parent of a macvlan
 * does not show. Never rejects for what the kernel says.
 *
 * An interface of the same name that took the place of another one within this boot leads to the same LAN if the
 * server, or the router on the way to it, answers ARP there: then the RELEASE goes to that machine alone. If nobody
 * answers it is perhaps another LAN, to which nothing of this pod is told; it is tried again later. (Another LAN with
 * the same addresses cannot be told from this one. A server that did not give the lease ignores a RELEASE for it:
 * RFC 2131 4.3.4 has it look for the client identifier and the address.) After a reboot all indexes are new and say
 * nothing, and most networks are what they were: then all of the LAN is told.
 */
export async function releaseFromHost(
  world: ReleaseWorld,
  ears: ArpEars,
  owed: Owed,
  options: { readonly isInUse: (record: LeaseRecord) => boolean; readonly signal: AbortSignal },
): Promise<ReleaseOutcome> {
  const before = lanOf(world, owed);
  if (!before.ok) return { kind: 'unreachable', why: before.error };
  const asked = await askAround(world, ears, owed, before.value, options.signal);
  if (asked.kind !== 'asked') return asked;

  // Much may have happened meanwhile.
  if (options.signal.aborted) return { kind: 'cancelled' };
  if (options.isInUse(owed.record)) return { kind: 'in-use', by: 'this node' };
  const lan = lanOf(world, owed);
  if (!lan.ok) return { kind: 'unreachable', why: lan.error };
  if (lan.value.index !== before.value.index)
    return { kind: 'unreachable', why: `${owed.lan.name} was replaced while it was asked on` };
  if (lan.value.moved && asked.hop === undefined) {
    const why = `${owed.lan.name} is another interface now (#${lan.value.index}, was #${owed.lan.index}), and nobody answers ARP there for the server or the router`;
    return { kind: 'unreachable', why };
  }
  const failed = world.frames.send(
    lan.value.index,
    releaseFrame(world, owed, lan.value.mac, asked.hop ?? BROADCAST_MAC),
  );
  if (failed !== undefined) return { kind: 'unreachable', why: failed.message };
  return { kind: 'sent', confirmed: asked.hop !== undefined };
}

type Asked = { readonly kind: 'asked'; readonly hop: Mac | undefined };

async function askAround(
  world: ReleaseWorld,
  ears: ArpEars,
  owed: Owed,
  lan: Lan,
  signal: AbortSignal,
): Promise<Asked | ReleaseOutcome> {
  const deaf = listen(ears, lan.index);
  if (deaf !== undefined) return { kind: 'unreachable', why: deaf.message };
  const hopAddress = nextHop(owed);
  const owner = new Question(ears, owed.held.address.address, lan, true);
  const hop = hopAddress === undefined ? undefined : new Question(ears, hopAddress, lan, false);
  const questions = hop === undefined ? [owner] : [owner, hop];
  try {
    for (let round = 0; round < QUESTIONS; round++) {
      // The last word counts: the kernel takes a namespace apart some time after its name is gone.
      if (owner.answer === owed.record.config.chaddr) owner.askAgain();
      for (const question of questions) {
        if (question.answer !== undefined) continue;
        // Without a sender's IP address no cache learns anything wrong.
        const frame = emitArpFrame(lan.mac, BROADCAST_MAC, probe(question.address, lan.mac));
        const failed = world.frames.send(lan.index, frame);
        if (failed !== undefined) return { kind: 'unreachable', why: failed.message };
      }
      await pause(world, signal);
      if (signal.aborted) return { kind: 'cancelled' };
      if (owner.answer !== undefined && owner.answer !== owed.record.config.chaddr)
        return { kind: 'in-use', by: owner.answer };
    }
    if (owner.answer !== undefined)
      return { kind: 'still-there', why: `${owner.answer} still answers for ${owner.address}` };
  } finally {
    for (const question of questions) question.end();
  }
  return { kind: 'asked', hop: hop?.answer };
}

function listen(ears: ArpEars, index: number): SysError | undefined {
  try {
    ears.listen(index);
    return undefined;
  } catch (error) {
    if (isSysError(error)) return error;
    throw error;
  }
}

async function pause({ clock, timers }: ReleaseWorld, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const wake = (): void => resolve();
  const cancel = timers.at(later(clock.now(), QUESTION_PAUSE), wake);
  signal.addEventListener('abort', wake, { once: true });
  if (signal.aborted) wake();
  await promise;
  cancel();
  signal.removeEventListener('abort', wake);
}

function releaseFrame(world: ReleaseWorld, owed: Owed, srcMac: Mac, dstMac: Mac): Uint8Array {
  const { record, held } = owed;
  const { clock, random, protect } = world;
  const xid = newXid({ now: clock.now(), random, protect });
  const { address } = held.address;
  return emitUdp4Frame({
    srcMac,
    dstMac,
    src: address,
    dst: held.serverId,
    srcPort: DHCP_CLIENT_PORT,
    dstPort: DHCP_SERVER_PORT,
    payload: emitDhcp4(buildRelease(record.config, xid, { address, serverId: held.serverId })),
  });
}
