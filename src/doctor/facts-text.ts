import { formatCidr } from '../base/cidr.ts';
import { formatDuration } from '../base/time.ts';
import { ALL_WAYS, answeredWays, type LanFacts, type OfferFact, type Way } from './lan-facts.ts';

// Facts of a probe in words, for the evidence of findings.

const ASKED_AS: Readonly<Record<Way, string>> = {
  own: "with the uplink's own MAC",
  'own-unicast': "with the uplink's own MAC, without the broadcast bit",
  new: "with the uplink's own MAC as a new client",
  'own-frame': "for a new MAC, in frames of the uplink's own",
  child: 'with a new MAC, as a pod',
  'child-unicast': 'with a new MAC, as a pod, without the broadcast bit',
};

/** Enough to see what is going on. */
const MOST_LINES = 12;
const MOST_SERVERS = 16;

/** "192.168.2.1 (02:..): 192.168.2.130 in 192.168.2.0/24, router 192.168.2.1, after 3 ms" */
export function offerText(offer: OfferFact): string {
  const { serverId, sourceMac, relay, address, network, routers, after } = offer;
  const parts = [
    `${address}${network === undefined ? '' : ` in ${formatCidr(network)}`}`,
    routers.length === 0 ? 'no router' : `router ${routers.join(', ')}`,
    ...(relay === undefined ? [] : [`by the relay ${relay}`]),
    `after ${formatDuration(after)}`,
  ];
  return `${serverId} (${sourceMac}) offers ${parts.join(', ')}`;
}

/** What became of each way of asking, one line each. */
export function wayLines(facts: LanFacts): readonly string[] {
  return ALL_WAYS.map((way) => {
    const first = facts.offers.find((offer) => offer.way === way);
    return `DISCOVER ${ASKED_AS[way]}: ${first === undefined ? 'no answer' : offerText(first)}`;
  });
}

/** What else was seen: how long, what arrived, tags, spanning tree, errors. */
export function surroundings(facts: LanFacts): readonly string[] {
  const { link, sent, listened, received, vlans, bpdu, unreachable, naks, informs, informed } = facts;
  const arrived = received === undefined ? '' : `; ${link.name} received ${received} frames of all kinds`;
  const forwarding =
    bpdu?.forwarding === undefined ? '' : `, its port ${bpdu.forwarding ? 'forwards' : 'does not forward'}`;
  return [
    `${sent} DISCOVERs in ${formatDuration(listened)}${arrived}`,
    ...informed.map(
      ({ serverId, after }) => `${serverId} answers a DHCPINFORM after ${formatDuration(after)}`,
    ),
    ...(informs > 0 && informed.length === 0 ? [`${informs} DHCPINFORMs of the node: no answer`] : []),
    ...(vlans.length > 0 ? [`broadcasts with the tag of VLAN ${vlans.join(', ')} arrive`] : []),
    ...(bpdu === undefined
      ? []
      : [`BPDUs of ${bpdu.bridge}: forward delay ${formatDuration(bpdu.forwardDelay)}${forwarding}`]),
    ...naks.map(({ serverId, text }) => `NAK of ${serverId}${text === '' ? '' : `: "${text}"`}`),
    ...unreachable.map(
      ({ from, code, dst }) => `${from} says that DHCP at ${dst} is unreachable (ICMP code ${code})`,
    ),
  ].slice(0, MOST_LINES);
}

/** The first OFFER of each server. */
export function perServer(facts: LanFacts): readonly OfferFact[] {
  const servers = new Map<string, OfferFact>();
  for (const offer of facts.offers) {
    if (!servers.has(offer.serverId)) servers.set(offer.serverId, offer);
  }
  return [...servers.values()].slice(0, MOST_SERVERS);
}

export function isSilent(facts: LanFacts): boolean {
  return answeredWays(facts).size === 0;
}
