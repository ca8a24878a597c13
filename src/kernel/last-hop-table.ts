import { release } from 'node:os';
import { changesSetSizes } from './nft-sets.ts';
import {
  dynset,
  load,
  lookup,
  NFT_REG32_01,
  NFT_REG32_02,
  NFT_REG32_03,
  NFT_REG_1,
  NFT_REG_2,
  store,
  verdict,
  type Expression,
  type Field,
} from '../wire/nftables/expression.ts';
import {
  concatenation,
  DPORT,
  ETHER_ADDR,
  ETHER_DADDR,
  ETHER_SADDR,
  hasAnyTcpFlag,
  hasByte,
  hasIcmpType,
  hasTcpFlags,
  INET_SERVICE,
  IP_DADDR,
  IP_ID,
  IP_SADDR,
  IPPROTO_ICMP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPV4_ADDR,
  isForUs,
  isFragment,
  isLaterFragment,
  isNoIpv4Frame,
  isNotForUs,
  isProtocol,
  PLAIN_IPV4_HEADER,
  QUOTED_DADDR,
  QUOTED_DPORT,
  QUOTED_PROTOCOL,
  QUOTED_SADDR,
  QUOTED_SPORT,
  QUOTED_VERSION_AND_LENGTH,
  SPORT,
  TCP_ACK,
  TCP_FIN,
  TCP_RST,
  TCP_SYN,
} from '../wire/nftables/packet.ts';
import {
  HOOKS,
  type ChainSpec,
  type DataType,
  type Hook,
  type SetSpec,
  type TableName,
  type TableSpec,
} from '../wire/nftables/table.ts';

const SECOND = 1000;
/** A SYN that has had no answer. The kernel answers at once; a network stack of the workload's own a little later. */
const TCP_NEW_MS = 5 * SECOND;
/** Between SYN,ACK and the client's ACK: as long as the kernel repeats its SYN,ACK (tcp_synack_retries, 63 s). */
const TCP_ACCEPTED_MS = 120 * SECOND;
/** What kube-proxy sets for conntrack (--conntrack-tcp-timeout-established): the node forgets no later. */
const TCP_OPEN_MS = 24 * 3600 * SECOND;
/** nf_conntrack_tcp_timeout_fin_wait and _time_wait. */
const TCP_CLOSING_MS = 120 * SECOND;
/** Both sides have said FIN, or one RST: what is still to be said is said in seconds, and again with each FIN. */
const TCP_CLOSED_MS = 10 * SECOND;
/** A first datagram that nobody answered: the window below, and ten seconds for the answer to its last packet. */
const UDP_NEW_MS = 20 * SECOND;
/** nf_conntrack_udp_timeout_stream is 120 s, and kube-proxy leaves it; three minutes are never shorter. */
const UDP_ANSWERED_MS = 180 * SECOND;
/** How long packets of a flow are not looked at after one was learned from. */
const UDP_SETTLED_MS = 10 * SECOND;
/** nf_conntrack_udp_timeout: what the pod sent lately unasked, so that the answer is one. */
const UDP_OWN_MS = 30 * SECOND;
/** RFC 792: destination unreachable, which port unreachable and fragmentation needed are. */
const ICMP_UNREACHABLE = 3;
/** The fragments of a datagram leave together. */
const FRAGMENT_MS = 2 * SECOND;
/** How often what has ended makes room. */
const GC_MS = 5 * SECOND;

/**
 * Elements of each map at most: 39,168, which take about 4 MB. An element takes 96 bytes, and the kernel's hash table 8 for each
 * bucket, which is doubled when more than three quarters are taken: so these are three quarters of a power of two. A full
 * map learns nothing more.
 */
export const LAST_HOP_MOST = {
  tcp_new: 6144,
  tcp_open: 12_288,
  tcp_closing: 6144,
  tcp_half: 1536,
  udp_open: 6144,
  udp_settled: 6144,
  fragments: 768,
} as const;

const CHANGES_SET_SIZES = changesSetSizes(release());

const FLOW = concatenation([IPV4_ADDR, IPV4_ADDR, INET_SERVICE, INET_SERVICE]);
const DATAGRAM = concatenation([IPV4_ADDR, IPV4_ADDR, INET_SERVICE]);

/** Where the Ethernet address is while a rule runs: the key takes the first sixteen bytes. */
const MAC_REG = NFT_REG_2;

/** A flow's key: client's address, pod's address, client's port, pod's port. */
function flowKey(fields: readonly [Field, Field, Field, Field]): readonly Expression[] {
  const [client, pod, clientPort, podPort] = fields;
  return [
    load(client, NFT_REG_1),
    load(pod, NFT_REG32_01),
    load(clientPort, NFT_REG32_02),
    load(podPort, NFT_REG32_03),
  ];
}

const INBOUND = flowKey([IP_SADDR, IP_DADDR, SPORT, DPORT]);
const OUTBOUND = flowKey([IP_DADDR, IP_SADDR, DPORT, SPORT]);
/** What the ICMP error is about came in. */
const QUOTED = flowKey([QUOTED_SADDR, QUOTED_DADDR, QUOTED_SPORT, QUOTED_DPORT]);
/** RFC 791 3.2: with the protocol, which is UDP here, these tell whose fragment it is. */
const FRAGMENT = [load(IP_SADDR, NFT_REG_1), load(IP_DADDR, NFT_REG32_01), load(IP_ID, NFT_REG32_02)];

const ACCEPT = verdict({ to: 'accept' });
const SOURCE = load(ETHER_SADDR, MAC_REG);
const REDIRECT = store(ETHER_DADDR, MAC_REG);
/**
 * Before the address is put into another map it is loaded again, from the packet: nft(8) aborts when it lists a rule
 * that puts one map's value into another.
 */
const REDIRECT_AND_LOAD: readonly Expression[] = [REDIRECT, load(ETHER_DADDR, MAC_REG)];

function known(map: string): Expression {
  return lookup(map, MAC_REG);
}

/** Whether there is one. The address that is loaded then is that of this packet: a refresh does not store it. */
function isKnown(map: string): readonly Expression[] {
  return [known(map), SOURCE];
}

function learn(map: string, timeoutMs: number): Expression {
  return dynset('add', map, { dataReg: MAC_REG, timeoutMs });
}

function refresh(map: string, timeoutMs: number): Expression {
  return dynset('update', map, { dataReg: MAC_REG, timeoutMs });
}

function forget(map: string): Expression {
  return dynset('delete', map, { dataReg: MAC_REG });
}

const HALF = 'tcp_half';
const FORGET_HALF = dynset('delete', HALF);

type Rules = ChainSpec['rules'];

const IN: Rules = [
  [...isNoIpv4Frame(), ACCEPT],
  [...isProtocol(IPPROTO_TCP), verdict({ to: 'goto', chain: 'tcp_in' })],
  [...isProtocol(IPPROTO_UDP), verdict({ to: 'goto', chain: 'udp_in' })],
];

const OUT: Rules = [
  [...isNoIpv4Frame(), ACCEPT],
  [...isProtocol(IPPROTO_TCP), verdict({ to: 'goto', chain: 'tcp_out' })],
  [...isProtocol(IPPROTO_UDP), verdict({ to: 'goto', chain: 'udp_out' })],
  [...isProtocol(IPPROTO_ICMP), ...hasIcmpType(ICMP_UNREACHABLE), verdict({ to: 'goto', chain: 'icmp_out' })],
];

const TCP_IN: Rules = [
  [...hasAnyTcpFlag(TCP_FIN | TCP_SYN | TCP_RST), verdict({ to: 'goto', chain: 'tcp_in_edge' })],
  // What goes out has an ACK come in sooner or later, so this refreshes for both.
  [...INBOUND, ...isKnown('tcp_open'), refresh('tcp_open', TCP_OPEN_MS)],
];

const TCP_IN_EDGE: Rules = [
  // A repeated SYN may come by another node: the last one counts. It does not touch a connection that is open.
  [
    ...hasTcpFlags(TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN, TCP_SYN),
    ...isForUs(),
    ...INBOUND,
    SOURCE,
    forget('tcp_new'),
    learn('tcp_new', TCP_NEW_MS),
    ACCEPT,
  ],
  // A forged one does not last: the next packet of the connection refreshes it.
  [
    ...hasAnyTcpFlag(TCP_RST),
    ...INBOUND,
    ...isKnown('tcp_open'),
    refresh('tcp_open', TCP_CLOSING_MS),
    ACCEPT,
  ],
  [...hasAnyTcpFlag(TCP_FIN), ...INBOUND, ...isKnown('tcp_closing'), refresh('tcp_closing', TCP_CLOSED_MS)],
  // The pod may go on sending for hours: this only tells its own FIN, when it comes soon, that it is the second.
  [
    ...hasAnyTcpFlag(TCP_FIN),
    ...INBOUND,
    ...isKnown('tcp_open'),
    dynset('add', HALF, { timeoutMs: TCP_CLOSED_MS }),
  ],
];

const TCP_OUT: Rules = [
  [...hasAnyTcpFlag(TCP_FIN | TCP_SYN | TCP_RST), verdict({ to: 'jump', chain: 'tcp_out_edge' })],
  [...OUTBOUND, known('tcp_open'), REDIRECT, ACCEPT],
  [...OUTBOUND, known('tcp_closing'), REDIRECT],
];

/** Moves an open connection to the closing ones, where no packet refreshes it. */
function close(timeoutMs: number): readonly Expression[] {
  return [
    known('tcp_open'),
    ...REDIRECT_AND_LOAD,
    learn('tcp_closing', timeoutMs),
    forget('tcp_open'),
    ACCEPT,
  ];
}

const TCP_OUT_EDGE: Rules = [
  // Only what the pod accepts becomes an entry: a forged SYN within a connection gets an ACK (RFC 9293 3.10.7.4), so
  // that nobody turns away another one's connection, and an earlier one with the same ports gives way.
  [
    ...hasTcpFlags(TCP_SYN | TCP_ACK, TCP_SYN | TCP_ACK),
    ...OUTBOUND,
    known('tcp_new'),
    ...REDIRECT_AND_LOAD,
    forget('tcp_closing'),
    forget('tcp_open'),
    learn('tcp_open', TCP_ACCEPTED_MS),
    // What was accepted makes room; a SYN,ACK that is repeated finds the open one.
    forget('tcp_new'),
    ACCEPT,
  ],
  [...hasAnyTcpFlag(TCP_RST), ...OUTBOUND, ...close(TCP_CLOSED_MS)],
  [...hasAnyTcpFlag(TCP_FIN), ...OUTBOUND, lookup(HALF), FORGET_HALF, ...close(TCP_CLOSED_MS)],
  [...hasAnyTcpFlag(TCP_FIN), ...OUTBOUND, ...close(TCP_CLOSING_MS)],
  // No room there: better the last packets of one connection than room in the map of all open ones.
  [
    ...hasAnyTcpFlag(TCP_FIN | TCP_RST),
    ...OUTBOUND,
    known('tcp_open'),
    ...REDIRECT_AND_LOAD,
    forget('tcp_open'),
    ACCEPT,
  ],
  // The port that nobody listens to.
  [...hasAnyTcpFlag(TCP_RST), ...OUTBOUND, known('tcp_new'), REDIRECT, ACCEPT],
];

const UDP_IN: Rules = [
  [...isNotForUs(), ACCEPT],
  // Learned from a moment ago, or an answer to what the pod sent.
  [...INBOUND, lookup('udp_settled'), ACCEPT],
  // Now and then the way is learned anew: a flow has no beginning and no end, and a router may have been replaced. The
  // first packet after UDP_SETTLED_MS decides.
  [
    ...INBOUND,
    ...isKnown('udp_open'),
    dynset('add', 'udp_settled', { timeoutMs: UDP_SETTLED_MS }),
    forget('udp_open'),
    learn('udp_open', UDP_ANSWERED_MS),
    ACCEPT,
  ],
  [
    ...INBOUND,
    SOURCE,
    dynset('add', 'udp_settled', { timeoutMs: UDP_SETTLED_MS }),
    learn('udp_open', UDP_NEW_MS),
  ],
];

const UDP_OUT: Rules = [
  [...isFragment(), verdict({ to: 'jump', chain: 'udp_out_fragment' })],
  [...OUTBOUND, known('udp_open'), ...REDIRECT_AND_LOAD, refresh('udp_open', UDP_ANSWERED_MS), ACCEPT],
  // The pod's own flow: nothing is learned from its answers, and a client of DNS with a port for each question has
  // a short-lived element for each, without an Ethernet address.
  [...OUTBOUND, dynset('update', 'udp_settled', { timeoutMs: UDP_OWN_MS })],
];

const UDP_OUT_FRAGMENT: Rules = [
  [...isLaterFragment(), ...FRAGMENT, known('fragments'), REDIRECT, ACCEPT],
  // Of the first, with the ports, the way is noted; the flow is refreshed after the return.
  [...OUTBOUND, known('udp_open'), ...REDIRECT_AND_LOAD, ...FRAGMENT, learn('fragments', FRAGMENT_MS)],
];

const QUOTES_PLAIN = hasByte(QUOTED_VERSION_AND_LENGTH, PLAIN_IPV4_HEADER);
const QUOTES_TCP = [...QUOTES_PLAIN, ...hasByte(QUOTED_PROTOCOL, IPPROTO_TCP)];
const QUOTES_UDP = [...QUOTES_PLAIN, ...hasByte(QUOTED_PROTOCOL, IPPROTO_UDP)];

const ICMP_OUT: Rules = [
  [...QUOTES_UDP, ...QUOTED, known('udp_open'), REDIRECT, ACCEPT],
  [...QUOTES_TCP, ...QUOTED, known('tcp_open'), REDIRECT, ACCEPT],
  [...QUOTES_TCP, ...QUOTED, known('tcp_new'), REDIRECT, ACCEPT],
];

/** Names that are words of nft(8), like tcp, could not be listed. */
function set(name: keyof typeof LAST_HOP_MOST, key: DataType, timeoutMs: number): SetSpec {
  return {
    name,
    key,
    timeoutMs,
    gcIntervalMs: GC_MS,
    most: LAST_HOP_MOST[name],
    allocated: !CHANGES_SET_SIZES,
  };
}

function macMap(name: keyof typeof LAST_HOP_MOST, key: DataType, timeoutMs: number): SetSpec {
  return { ...set(name, key, timeoutMs), value: ETHER_ADDR };
}

const SETS: readonly SetSpec[] = [
  macMap('tcp_new', FLOW, TCP_NEW_MS),
  macMap('tcp_open', FLOW, TCP_OPEN_MS),
  macMap('tcp_closing', FLOW, TCP_CLOSING_MS),
  set(HALF, FLOW, TCP_CLOSED_MS),
  macMap('udp_open', FLOW, UDP_ANSWERED_MS),
  set('udp_settled', FLOW, UDP_OWN_MS),
  macMap('fragments', DATAGRAM, FRAGMENT_MS),
];

/** The name of the table of an interface. */
export function lastHopTableName(ifname: string): TableName {
  return { family: 'netdev', name: `leasehold-${ifname}` };
}

/**
 * Learns at an interface's ingress by which Ethernet address a connection came, and sends at its egress what belongs to
 * it to that address. A packet of an open connection costs one look-up and one refresh in, one look-up out.
 */
export function lastHopTable(ifname: string): TableSpec {
  const at = (number: number): Hook => ({ number, priority: 0, devices: [ifname] });
  return {
    ...lastHopTableName(ifname),
    sets: SETS,
    chains: [
      { name: 'tcp_in_edge', rules: TCP_IN_EDGE },
      { name: 'tcp_in', rules: TCP_IN },
      { name: 'udp_in', rules: UDP_IN },
      { name: 'tcp_out_edge', rules: TCP_OUT_EDGE },
      { name: 'tcp_out', rules: TCP_OUT },
      { name: 'udp_out_fragment', rules: UDP_OUT_FRAGMENT },
      { name: 'udp_out', rules: UDP_OUT },
      { name: 'icmp_out', rules: ICMP_OUT },
      { name: 'in', hook: at(HOOKS.netdev.ingress), rules: IN },
      { name: 'out', hook: at(HOOKS.netdev.egress), rules: OUT },
    ],
  };
}
