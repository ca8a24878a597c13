import { formatDuration, millis } from '../base/time.ts';
import { isSilent, offerText, perServer, surroundings, wayLines } from './facts-text.ts';
import { extrasFindings } from './extras-findings.ts';
import type { Finding } from './finding.ts';
import { type LanFacts, type OfferFact, WAYS } from './lan-facts.ts';
import { macFindings } from './mac-findings.ts';
import type { Platform } from './platform.ts';
import type { KnownLan } from './ports.ts';
import { silentServer } from './silent-server.ts';

/** Slower is felt at the start of every pod; most servers take milliseconds. */
const SLOW = millis(1000);
/** Servers in a title; all are in the evidence. */
const MOST_NAMED = 3;

/**
 * What a probe's facts mean: the most specific cause first. Nothing for a LAN on which a pod gets an address as it
 * should.
 */
export function dhcpFindings(
  facts: LanFacts,
  platform: Platform,
  known: KnownLan | undefined,
): readonly Finding[] {
  return [
    ...silence(facts, known),
    ...macFindings(facts, platform),
    ...extrasFindings(facts),
    ...serverFindings(facts),
    ...nakFindings(facts),
    ...claimFindings(facts),
    ...delayFindings(facts),
  ];
}

/** The finding for when there is none. */
export function lanIsFine(facts: LanFacts): Finding {
  const servers = perServer(facts);
  return {
    id: 'lan-ok',
    severity: 'ok',
    title: `DHCP on ${facts.link.name} answers the node and new MAC addresses alike`,
    evidence: [...servers.map(offerText), ...surroundings(facts)],
    remedy: [],
  };
}

function silence(facts: LanFacts, known: KnownLan | undefined): readonly Finding[] {
  if (!isSilent(facts)) return [];
  const { link, sent, sendError } = facts;
  const { name } = link;
  if (sent === 0) {
    return [
      {
        id: 'send-failed',
        severity: 'error',
        title: `${name} cannot send`,
        evidence: [sendError ?? 'no DISCOVER could be sent'],
        remedy: [`Look at the interface: ip -s link show ${name}`],
      },
    ];
  }
  const late = facts.bpdu === undefined || facts.bpdu.forwarding === true ? [] : [startsLate(facts)];
  const certainlyLate = facts.bpdu?.forwarding === false;
  const vlan = facts.vlans.length > 0 ? [vlanFilter(facts)] : [];
  const none = silentServer(facts, known) ?? noServer(facts);
  return certainlyLate ? [...late, ...vlan, none] : [...vlan, none, ...late];
}

function noServer(facts: LanFacts): Finding {
  const { name } = facts.link;
  return {
    id: 'no-server',
    severity: 'error',
    title: `no DHCP server answers on ${name}, not even its own MAC`,
    evidence: [
      ...surroundings(facts),
      ...(facts.received === 0 ? ['nothing at all arrived: the cable may lead nowhere'] : []),
    ],
    remedy: [
      `Check that a DHCP server or relay runs on the network of ${name}, that it has a range for it, and that ${name} is plugged into that network.`,
      'A DISCOVER is broadcast to UDP port 67: a firewall on the server, or DHCP snooping on the switch, may drop it.',
    ],
  };
}

function vlanFilter(facts: LanFacts): Finding {
  const { link, vlans } = facts;
  const list = vlans.join(', ');
  return {
    id: 'vlan-filter',
    severity: 'warning',
    title: `nothing answers untagged frames on ${link.name}, and the port carries VLAN ${list} with tags: the LAN may be one of these`,
    evidence: surroundings(facts),
    remedy: [
      `Make the LAN's VLAN untagged (native) on the switch's port, or use an interface of that VLAN as the uplink (ip link add link ${link.name} name ${link.name}.${vlans[0] ?? 1} type vlan id ${vlans[0] ?? 1}).`,
    ],
  };
}

/** Without any answer: a port that speaks of its spanning tree and does not say that it forwards. */
function startsLate(facts: LanFacts): Finding {
  const { link, bpdu } = facts;
  const delay = bpdu === undefined ? '' : ` (${formatDuration(millis(2 * bpdu.forwardDelay))} after link up)`;
  const certain = bpdu?.forwarding === false;
  return {
    id: 'port-starts-late',
    severity: 'warning',
    title: certain
      ? `the switch's port of ${link.name} does not forward yet: its spanning tree is still listening${delay}`
      : `the switch of ${link.name} runs a spanning tree, so its port forwards nothing at first${delay}`,
    evidence: surroundings(facts),
    remedy: [EDGE_PORT],
  };
}

const EDGE_PORT =
  'Make it an edge port (spanning-tree portfast on most switches; on a Linux bridge: ip link set BRIDGE type bridge stp_state 0, or a smaller forward_delay), or ask again in a minute.';

function serverFindings(facts: LanFacts): readonly Finding[] {
  const servers = perServer(facts);
  if (servers.length < 2) return [];
  const { name } = facts.link;
  const named = servers.slice(0, MOST_NAMED).map(({ serverId, sourceMac }) => `${serverId} (${sourceMac})`);
  const list = `${named.join(' and ')}${servers.length > MOST_NAMED ? ' and others' : ''}`;
  if (new Set(facts.offers.map(kindOfNetwork)).size < 2) {
    return [
      {
        id: 'two-servers',
        severity: 'note',
        title: `${servers.length} DHCP servers answer on ${name} with the same network and router: ${list}`,
        evidence: servers.map(offerText),
        remedy: ['Fine if they share their leases (failover) or have pools that do not overlap.'],
      },
    ];
  }
  return [
    {
      id: 'rogue-server',
      severity: 'error',
      title: `${servers.length} DHCP servers answer on ${name} with different networks or routers: ${list}`,
      evidence: servers.map(offerText),
      remedy: [
        'Find the one that does not belong there by its MAC address and turn its DHCP off; until then name the right one ("servers" in the network\'s dhcp section).',
      ],
    },
  ];
}

function kindOfNetwork({ network, routers }: OfferFact): string {
  return JSON.stringify([network, routers]);
}

function nakFindings(facts: LanFacts): readonly Finding[] {
  const [first] = facts.naks;
  if (first === undefined) return [];
  return [
    {
      id: 'nak',
      severity: 'warning',
      title: `${first.serverId} refuses clients on ${facts.link.name} with a NAK although none asked for an address of its own`,
      evidence: surroundings(facts),
      remedy: ["Look into the server's log for the reason: a NAK to a DISCOVER is no answer of RFC 2131."],
    },
  ];
}

function claimFindings(facts: LanFacts): readonly Finding[] {
  const { link } = facts;
  return facts.claims.map(({ address, mac, kind }): Finding =>
    kind === 'own'
      ? {
          id: 'duplicate-address',
          severity: 'error',
          title: `${mac} answers for ${address} too, which is the address of ${link.name}`,
          evidence: [`ARP: ${address} is at ${mac}; ${link.name} has ${link.mac}`],
          remedy: [
            `Find the machine with the MAC ${mac} and give it another address, or let this node have its own by DHCP.`,
          ],
        }
      : {
          id: 'duplicate-address',
          severity: 'warning',
          title: `the DHCP server offers ${address}, which ${mac} uses already`,
          evidence: [`ARP: ${address} is at ${mac}`, ...offersOf(facts, address)],
          remedy: [
            `Take ${address} out of the server's pool, or give the machine with the MAC ${mac} its address by DHCP.`,
          ],
        },
  );
}

function offersOf({ offers }: LanFacts, address: string): readonly string[] {
  return offers
    .filter((offer) => offer.address === address)
    .slice(0, 1)
    .map(offerText);
}

/** Answers that came, but late: the port's fault when the first messages were lost, the server's when it took its time. */
function delayFindings(facts: LanFacts): readonly Finding[] {
  const offers = facts.offers.toSorted((a, b) => a.at - b.at);
  const [first] = offers;
  if (first === undefined) return [];
  // A server that knows the node answers that at once, and may ping an address before it gives it to a new client. The
  // first answer counts: DISCOVERs that came while the server was busy are answered right after it.
  const { after } = offers.find(({ way }) => WAYS[way].stranger) ?? first;
  const { name } = facts.link;
  if (facts.offers.every(({ round }) => round > 0)) {
    return [
      {
        id: 'port-starts-late',
        severity: 'warning',
        title: `nothing passed on ${name} at first: the DISCOVERs of the first ${formatDuration(first.at)} were lost, and later ones answered`,
        evidence: [...wayLines(facts), ...surroundings(facts)],
        remedy: [EDGE_PORT],
      },
    ];
  }
  if (after < SLOW) return [];
  return [
    {
      id: 'server-slow',
      severity: 'warning',
      title: `DHCP on ${name} takes ${formatDuration(after)} to answer a new client, and so long every new pod waits`,
      evidence: wayLines(facts),
      remedy: [
        'Turn off the ping before an offer (dnsmasq: no-ping; ISC dhcpd: ping-check false), or look at the load of the server and the relays on the way.',
      ],
    },
  ];
}
