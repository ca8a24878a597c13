import { cidrContains } from '../base/cidr.ts';
import type { Ipv4 } from '../base/ipv4.ts';
import { BROADCAST_MAC, type Mac } from '../base/mac.ts';
import { err, ok, type Result } from '../base/result.ts';
import { isSysError } from '../base/sys-error.ts';
import { anonymized } from '../protocol/dhcp4/anonymity.ts';
import { buildRelease } from '../protocol/dhcp4/build.ts';
import { asSpoken } from '../protocol/dhcp4/manner.ts';
import { type Held, leaseOf } from '../protocol/dhcp4/state.ts';
import { newXid } from '../protocol/dhcp4/step.ts';
import { emitDhcp4 } from '../wire/dhcp4/message.ts';
import {
  type ArpEars,
  ArpQuestion,
  type Asker,
  listenFor,
  questionPause,
  QUESTIONS,
} from './arp-question.ts';
import { dhcpFrame } from './dhcp-frame.ts';
import type { HostFrames, LeaseWorld } from './ports.ts';
import type { LeaseRecord } from './record.ts';

const UNANSWERED = 'nobody answers ARP on the way to the server';

/** What has to be given back, and where the LAN is. */
export type Owed = {
  readonly record: LeaseRecord;
  readonly held: Held;
  readonly lan: { readonly index: number; readonly name: string };
  /** The pod's link has the address no more. */
  readonly takenOff?: boolean | undefined;
};

/** What becomes of one try. */
export type ReleaseOutcome =
  /** `confirmed`: to a machine that answered ARP; else to all of the LAN, for want of one. */
  | { readonly kind: 'sent'; readonly confirmed: boolean }
  /** The address belongs to somebody now: here by `isInUse`, or to the machine with this MAC. */
  | { readonly kind: 'in-use'; readonly by: 'this node' | Mac }
  /** The LAN cannot be reached. */
  | { readonly kind: 'unreachable'; readonly why: string }
  /** The pod's link takes frames still: it is on its way out, or somebody has it in another namespace. */
  | { readonly kind: 'still-there'; readonly why: string }
  | { readonly kind: 'cancelled' };

/** A LAN as the host reaches it now. */
export type Lan = Asker & {
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
  { record, lan }: { readonly record: Pick<LeaseRecord, 'bootId'>; readonly lan: Owed['lan'] },
): Result<Lan, string> {
  const seen = lookAt(world.frames, lan.name);
  if (!seen.ok) return seen;
  const link = seen.value;
  const moved = record.bootId === world.clock.bootId && link.index !== lan.index;
  if (!link.up || !link.lowerUp) return err(`${lan.name} has no carrier`);
  if (link.mac === undefined) return err(`${lan.name} has no MAC address`);
  return ok({ index: link.index, mac: link.mac, moved });
}

type Routed = { readonly record: Pick<LeaseRecord, 'state'>; readonly held: Held };

/**
 * Who takes the frame on this LAN: the server itself, else the router to it by the routes of the lease (RFC 3442: where
 * there are classless ones option 3 does not count), whether the pod uses them or not; undefined without any.
 */
export function nextHop({ record, held }: Routed): Ipv4 | undefined {
  const { address, serverId } = held;
  if (cidrContains(address, serverId)) return serverId;
  const lease = leaseOf(record.state);
  const ways = lease?.routes.filter(({ dst }) => cidrContains(dst, serverId)) ?? [];
  const longest = Math.max(...ways.map(({ dst }) => dst.prefix));
  const way = ways.find(({ dst }) => dst.prefix === longest);
  return way === undefined ? lease?.routers[0] : (way.router ?? serverId);
}

export type ReleaseWorld = Pick<
  LeaseWorld,
  'clock' | 'timers' | 'random' | 'frames' | 'childMacs' | 'protect'
>;

/** What the leases of this node say about one that is to be given back. */
export type Siblings = {
  /** Whether a pod that lives on this node has the address or the client identifier of a record. */
  readonly isInUse: (record: LeaseRecord) => boolean;
  /** Whether such a pod has the MAC address of a record on the same LAN: two links of one there cannot both be up. */
  readonly hasMac: (record: LeaseRecord) => boolean;
};

/**
 * Sends one RELEASE for a pod that is not there any more, from the host: a whole frame with the leased address as its
 * source, which the host itself does not have. It takes 300 ms, in which both the way to the server and the leased
 * address are asked for by ARP. The latter because the pod may live on elsewhere: a workload with an identity of its
 * own that was started on another node has the same lease, and this RELEASE would take it away.
 *
 * ARP from the parent of a macvlan does not show what this node's own pods have: `siblings` does, and the parent's filter
 * shows the pod's link itself while it is up, in whatever namespace. One that was moved is so not released beneath whoever
 * has it now. One that is down there takes no frame, and lost its addresses with the move. Never rejects for what the
 * kernel says.
 *
 * An interface of the same name that took the place of another one within this boot leads to the same LAN if the
 * server, or the router on the way to it, answers ARP there: then the RELEASE goes to that machine alone. If nobody
 * answers it is perhaps another LAN, to which nothing of this pod is told; it is tried again later. (Another LAN with
 * the same addresses cannot be told from this one. A server that did not give the lease does not find it: client identifier
 * and address together name it in any message, RFC 2131 3.1 step 4.) After a reboot all indexes are new and say
 * nothing, and most networks are what they were: then all of the LAN is told.
 */
export async function releaseFromHost(
  world: ReleaseWorld,
  ears: ArpEars,
  owed: Owed,
  siblings: Siblings,
  options: {
    readonly signal: AbortSignal;
    /** Also where nobody answers ARP on the way to the server: then to all of the LAN. */
    readonly blindly: boolean;
  },
): Promise<ReleaseOutcome> {
  const before = lanOf(world, owed);
  if (!before.ok) return { kind: 'unreachable', why: before.error };
  const asked = await askAround(world, ears, owed, before.value, options.signal);
  if (asked.kind !== 'asked') return asked;

  const alive = mayLive(world, owed, siblings) ? await lookForLink(world, owed, before.value) : undefined;
  // Much may have happened meanwhile.
  if (options.signal.aborted) return { kind: 'cancelled' };
  if (siblings.isInUse(owed.record)) return { kind: 'in-use', by: 'this node' };
  if (alive !== undefined) return alive;
  const lan = lanOf(world, owed);
  if (!lan.ok) return { kind: 'unreachable', why: lan.error };
  if (lan.value.index !== before.value.index)
    return { kind: 'unreachable', why: `${owed.lan.name} was replaced while it was asked on` };
  if (lan.value.moved && asked.hop === undefined) {
    const why = `${owed.lan.name} is another interface now (#${lan.value.index}, was #${owed.lan.index}), and nobody answers ARP there for the server or the router`;
    return { kind: 'unreachable', why };
  }
  if (asked.hop === undefined && !options.blindly) return { kind: 'unreachable', why: UNANSWERED };
  const failed = world.frames.send(
    lan.value.index,
    releaseFrame(world, owed, lan.value.mac, asked.hop ?? BROADCAST_MAC),
  );
  if (failed !== undefined) return { kind: 'unreachable', why: failed.message };
  return { kind: 'sent', confirmed: asked.hop !== undefined };
}

/**
 * Whether a link with the pod's MAC address can be the pod's, with its address: a reboot leaves none, and where a running
 * pod has that MAC address the link is its own.
 */
function mayLive(
  { clock }: Pick<ReleaseWorld, 'clock'>,
  { record, takenOff }: Owed,
  { hasMac }: Siblings,
): boolean {
  return takenOff !== true && record.bootId === clock.bootId && !hasMac(record);
}

/** Undefined when the pod's link is not up on its LAN any more. */
async function lookForLink(
  world: Pick<ReleaseWorld, 'childMacs'>,
  { record, lan }: Owed,
  { index }: Lan,
): Promise<ReleaseOutcome | undefined> {
  const { mac } = record.link;
  try {
    if (!(await world.childMacs(index)).includes(mac)) return undefined;
    const why = `${record.key.ifname} (${mac}) is still up on ${lan.name}, in some network namespace`;
    return { kind: 'still-there', why };
  } catch (error) {
    if (!isSysError(error)) throw error;
    return { kind: 'unreachable', why: error.message };
  }
}

type Asked = { readonly kind: 'asked'; readonly hop: Mac | undefined };

async function askAround(
  world: ReleaseWorld,
  ears: ArpEars,
  owed: Owed,
  lan: Lan,
  signal: AbortSignal,
): Promise<Asked | ReleaseOutcome> {
  const deaf = listenFor(ears, lan);
  if (deaf !== undefined) return { kind: 'unreachable', why: deaf.message };
  const hopAddress = nextHop(owed);
  const owner = new ArpQuestion(ears, owed.held.address.address, lan, { probesCount: true });
  const hop =
    hopAddress === undefined ? undefined : new ArpQuestion(ears, hopAddress, lan, { probesCount: false });
  const questions = hop === undefined ? [owner] : [owner, hop];
  try {
    for (let round = 0; round < QUESTIONS; round++) {
      // The last word counts: the kernel takes a namespace apart some time after its name is gone.
      if (owner.answer === owed.record.config.chaddr) owner.forget();
      for (const question of questions) {
        if (question.answer !== undefined) continue;
        const failed = question.ask(world.frames);
        if (failed !== undefined) return { kind: 'unreachable', why: failed.message };
      }
      await questionPause(world, signal);
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

function releaseFrame(world: ReleaseWorld, owed: Owed, srcMac: Mac, dstMac: Mac): Uint8Array {
  const { record, held } = owed;
  const { clock, random, protect } = world;
  const xid = newXid({ now: clock.now(), random, protect });
  const { address } = held.address;
  const asking = asSpoken(record.config, record.state);
  const release = buildRelease(asking, xid, { address, serverId: held.serverId });
  return dhcpFrame(
    { mac: srcMac, address },
    { mac: dstMac, address: held.serverId },
    emitDhcp4(asking.anonymous === true ? anonymized(release, random) : release),
  );
}
