import type { Cidr } from '../base/cidr.ts';
import type { Ipv4 } from '../base/ipv4.ts';
import type { Mac } from '../base/mac.ts';
import type { Duration } from '../base/time.ts';
import type { Bpdu } from '../wire/bpdu.ts';
import type { Unreachable4 } from '../wire/ip/icmp4.ts';
import type { ProbedLink } from './ports.ts';

/**
 * Ways to ask for an address. What tells one cause from another is which of them are answered:
 *
 * - own: the uplink's own MAC, as the node itself asks
 * - own-unicast: the same without the broadcast bit
 * - new: the uplink's own MAC, but as a client that the server has never seen
 * - own-frame: a foreign MAC in the message, the uplink's own on the frame
 * - child: a foreign MAC in both, as a pod's macvlan
 * - child-unicast: the same without the broadcast bit: the OFFER is addressed to the foreign MAC
 */
export type Way = 'own' | 'own-unicast' | 'new' | 'own-frame' | 'child' | 'child-unicast';

export type WayOfAsking = {
  /** Whose MAC is the frame's source. */
  readonly source: 'own' | 'child';
  /** Whose MAC is in the message (chaddr). */
  readonly chaddr: 'own' | 'child';
  /** With a client identifier of the doctor's own; else the server goes by the MAC. */
  readonly stranger: boolean;
  readonly broadcast: boolean;
};

export const WAYS: Readonly<Record<Way, WayOfAsking>> = {
  own: { source: 'own', chaddr: 'own', stranger: false, broadcast: true },
  'own-unicast': { source: 'own', chaddr: 'own', stranger: false, broadcast: false },
  new: { source: 'own', chaddr: 'own', stranger: true, broadcast: true },
  'own-frame': { source: 'own', chaddr: 'child', stranger: true, broadcast: true },
  child: { source: 'child', chaddr: 'child', stranger: true, broadcast: true },
  'child-unicast': { source: 'child', chaddr: 'child', stranger: true, broadcast: false },
};

export const ALL_WAYS: readonly Way[] = ['own', 'own-unicast', 'new', 'own-frame', 'child', 'child-unicast'];

/** One DHCPOFFER. */
export type OfferFact = {
  readonly way: Way;
  readonly serverId: Ipv4;
  /** The frame's source: the server's, or its router's or relay's. */
  readonly sourceMac: Mac;
  readonly relay: Ipv4 | undefined;
  readonly address: Ipv4;
  /** The network that it is in, by option 1. */
  readonly network: Cidr<Ipv4> | undefined;
  readonly routers: readonly Ipv4[];
  /** Since the first DISCOVER of all. */
  readonly at: Duration;
  /** Since the DISCOVER that it answers. */
  readonly after: Duration;
  /** Which of the DISCOVERs of this way it answers, from 0. */
  readonly round: number;
};

/** What came back for a DISCOVER with options that it need not carry; an ACK: the server did rapid commit. */
export type ExtraAnswer = 'offer' | 'ack' | 'unmarked-ack';

export type ExtraFact = {
  /** The options that the DISCOVERs carried beside those of the way `child`. */
  readonly codes: readonly number[];
  readonly asks: number;
  readonly answer: ExtraAnswer | undefined;
  /** No answer came although there was time for one. */
  readonly silent: boolean;
};
/** A DHCPACK to the node's DHCPINFORM: the server lives, whatever becomes of DISCOVERs. */
export type InformFact = { readonly serverId: Ipv4; readonly after: Duration };

export type NakFact = { readonly serverId: Ipv4; readonly text: string };

/** Somebody else answered for an address. */
export type ClaimFact = {
  readonly address: Ipv4;
  readonly mac: Mac;
  /** The uplink's own address, or one that a server offers. */
  readonly kind: 'own' | 'offered';
};

/** What one probe of a LAN saw. Lists are bounded by the constants of dhcp-probe.ts. */
export type LanFacts = {
  readonly link: ProbedLink & { readonly mac: Mac };
  /** The foreign MAC. */
  readonly child: Mac;
  readonly listened: Duration;
  /** DISCOVERs that the kernel took. */
  readonly sent: number;
  readonly sendError: string | undefined;
  readonly offers: readonly OfferFact[];
  /** Empty where the way `child` is not answered. */
  readonly extras: readonly ExtraFact[];
  /** DHCPINFORMs that the kernel took: none where all is answered, or the uplink has no address of its own. */
  readonly informs: number;
  readonly informed: readonly InformFact[];
  readonly naks: readonly NakFact[];
  readonly claims: readonly ClaimFact[];
  /** ICMP errors about datagrams to DHCP servers. */
  readonly unreachable: readonly Unreachable4[];
  /** VLANs whose broadcasts were seen with their tag. */
  readonly vlans: readonly number[];
  readonly bpdu: Bpdu | undefined;
  /** Frames that the device received meanwhile, whatever they were; undefined where it does not say. */
  readonly received: number | undefined;
};

/** The ways that were answered. */
export function answeredWays(facts: Pick<LanFacts, 'offers'>): ReadonlySet<Way> {
  return new Set(facts.offers.map(({ way }) => way));
}
