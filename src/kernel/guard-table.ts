import { utf8 } from '../base/bytes.ts';
import type { Cidr } from '../base/cidr.ts';
import type { Ipv4 } from '../base/ipv4.ts';
import {
  counter,
  hasNoRouteWith,
  load,
  isNewConnection,
  isNotLocal,
  isNotTranslated,
  lookup,
  lookupNot,
  masquerade,
  meta,
  NFT_META_IIFNAME,
  NFT_META_OIFNAME,
  originalDestination,
  rejectIcmp,
  rejectReset,
  routeInterfaceName,
  verdict,
  type Expression,
} from '../wire/nftables/expression.ts';
import { intervalElements } from '../wire/nftables/intervals.ts';
import {
  hasIcmpType,
  IFNAME,
  IP_DADDR,
  IPPROTO_ICMP,
  IPV4_ADDR,
  isIpv4,
  isIpv4Frame,
  isProtocol,
  isTcpSyn,
} from '../wire/nftables/packet.ts';
import {
  HOOKS,
  type ChainSpec,
  type SetSpec,
  type TableName,
  type TableSpec,
} from '../wire/nftables/table.ts';
import { KNOWN_WAY_MARK } from './own-routes.ts';

/** What node/host/ports.ts calls a GuardSpec. */
export type GuardSpec = {
  readonly networks: readonly Cidr<Ipv4>[];
  readonly uplinks: readonly string[];
  readonly shims: readonly string[];
  /** What comes in by these is passed on to nowhere but `uplinks` and `shims`. None if left out. */
  readonly confined?: readonly string[] | undefined;
};

export const GUARD_TABLE = 'leasehold';
export const INET_TABLE: TableName = { family: 'inet', name: GUARD_TABLE };
export const NETDEV_TABLE: TableName = { family: 'netdev', name: GUARD_TABLE };
export const NAT_TABLE: TableName = { family: 'ip', name: GUARD_TABLE };

/**
 * linux/netfilter_ipv4.h (NF_IP_PRI_FILTER): beside other filters, and behind all that translates destinations
 * (NF_IP_PRI_NAT_DST, -100; firewalld -90).
 */
const PRIORITY_FILTER = 0;
/** Behind NF_IP_PRI_NAT_SRC (100), where kube-proxy translates: what it has done is not done again. */
const PRIORITY_AFTER_SOURCE_NAT = 110;
/** RFC 792; what iptables' REJECT and nft's reject say by default, and kube-proxy by them. */
const ICMP_PORT_UNREACHABLE = 3;
/** RFC 792 */
const ICMP_REDIRECT = 5;

const IFNAMSIZ = 16;

function nameElements(names: readonly string[]): SetSpec['elements'] {
  return [...new Set(names)].map((name) => {
    const key = new Uint8Array(IFNAMSIZ);
    key.set(utf8(name));
    return { key };
  });
}

function networkSet(networks: GuardSpec['networks']): SetSpec {
  return { name: 'networks', key: IPV4_ADDR, interval: true, elements: intervalElements(networks) };
}

const TO_SERVICE: readonly Expression[] = [load(IP_DADDR), lookup('networks')];

const SERVICE_BY_UPLINK: readonly Expression[] = [
  ...isIpv4(),
  ...TO_SERVICE,
  meta(NFT_META_OIFNAME),
  lookup('uplinks'),
];

/**
 * A connection that begins is told by a RST: of ICMP errors the kernel sends a host six in a row and then one a second
 * (icmp_ratelimit), and a local connect(2) only notes the first and fails a second later. One that is under way is never
 * reset: conntrack may have lost sight of it for one packet, which is sent again.
 */
function refuse(conditions: readonly Expression[]): ChainSpec['rules'] {
  return [
    [...conditions, ...isTcpSyn(), counter(), rejectReset()],
    [...conditions, counter(), rejectIcmp(ICMP_PORT_UNREACHABLE)],
  ];
}

const REJECT_SERVICE = refuse(SERVICE_BY_UPLINK);

/**
 * What pods send to a service that has no endpoint, or is none, and the node would lead to the LAN or nowhere. kube-proxy
 * would refuse it at hook forward, which it does not reach past the policy rules: so the pod hears it here, before it is
 * routed. Addresses of the node (IPVS), and networks that it has a route of its own to, go on: whether it has is asked of
 * the policy rules (node/host/rule-keeper.ts), for a default route may lead by any interface.
 */
const UNTRANSLATED: readonly ChainSpec[] = [
  {
    name: 'prerouting',
    hook: { number: HOOKS.inet.prerouting, priority: PRIORITY_FILTER },
    rules: [
      [
        meta(NFT_META_IIFNAME),
        lookup('shims'),
        ...isIpv4(),
        ...TO_SERVICE,
        verdict({ to: 'goto', chain: 'untranslated' }),
      ],
    ],
  },
  {
    name: 'untranslated',
    rules: [
      [routeInterfaceName(), lookup('uplinks'), verdict({ to: 'goto', chain: 'refuse' })],
      [...isNotLocal(), ...hasNoRouteWith(KNOWN_WAY_MARK), verdict({ to: 'goto', chain: 'refuse' })],
    ],
  },
  { name: 'refuse', rules: refuse([]) },
];

/** A pod that goes by the shim to what is on the LAN would be told a shorter way, past the node. */
const DROP_REDIRECT: readonly Expression[] = [
  ...isIpv4(),
  ...isProtocol(IPPROTO_ICMP),
  ...hasIcmpType(ICMP_REDIRECT),
  meta(NFT_META_OIFNAME),
  lookup('shims'),
  counter(),
  verdict({ to: 'drop' }),
];

/**
 * The node routes because of us: what would never have passed it before still does not. Replies to what others of its
 * networks began pass, and what was translated to a service's pod.
 */
const CONFINE: readonly Expression[] = [
  ...isIpv4(),
  meta(NFT_META_IIFNAME),
  lookup('confined'),
  meta(NFT_META_OIFNAME),
  lookupNot('ours'),
  ...isNewConnection(),
  ...isNotTranslated(),
  load(IP_DADDR),
  lookupNot('networks'),
  counter(),
  verdict({ to: 'drop' }),
];

function hooked(hook: 'forward' | 'output', rules: ChainSpec['rules'], name: string = hook): ChainSpec {
  return { name, hook: { number: HOOKS.inet[hook], priority: PRIORITY_FILTER }, rules };
}

/**
 * Refuses what the node itself would send, or route, to a service network by an uplink; and what it would route from the
 * LAN to other networks of its own only because of us. `early`: refuses what pods send before it is routed, which takes
 * Linux 5.9 (reject at hook prerouting) and the expression fib.
 */
export function inetGuard(spec: GuardSpec, early: boolean): TableSpec {
  // Connections are tracked from then on: not where it is not needed.
  const confined = spec.confined ?? [];
  const isConfined = confined.length > 0;
  return {
    ...INET_TABLE,
    comment: 'Leasehold: service networks never leave by the LAN',
    sets: [
      networkSet(spec.networks),
      { name: 'uplinks', key: IFNAME, elements: nameElements(spec.uplinks) },
      { name: 'shims', key: IFNAME, elements: nameElements(spec.shims) },
      ...(isConfined
        ? [
            { name: 'confined', key: IFNAME, elements: nameElements(confined) },
            { name: 'ours', key: IFNAME, elements: nameElements([...spec.uplinks, ...spec.shims]) },
          ]
        : []),
    ],
    chains: [
      ...(early ? UNTRANSLATED : []),
      hooked('forward', REJECT_SERVICE),
      hooked('output', [...REJECT_SERVICE, DROP_REDIRECT]),
      ...(isConfined ? [hooked('forward', [CONFINE], 'confine')] : []),
    ],
  };
}

/** Drops what still comes to an uplink: frames of pods do, past the node's routes and chains. */
export function egressGuard(spec: GuardSpec, devices: readonly string[]): TableSpec {
  return {
    ...NETDEV_TABLE,
    comment: 'Leasehold: service networks never leave by the LAN, whoever sends',
    sets: [networkSet(spec.networks)],
    chains: [
      {
        name: 'egress',
        hook: { number: HOOKS.netdev.egress, priority: PRIORITY_FILTER, devices: devices.toSorted() },
        rules: [[...isIpv4Frame(), ...TO_SERVICE, counter(), verdict({ to: 'drop' })]],
      },
    ],
  };
}

/**
 * A pod's connection to a service that is answered elsewhere on the LAN leaves with the node's address: the other end
 * would answer the pod past this node, which knows what was translated.
 */
export function returnPath(spec: GuardSpec): TableSpec {
  return {
    ...NAT_TABLE,
    comment: 'Leasehold: what a service on another machine answers comes back by this node',
    sets: [
      networkSet(spec.networks),
      { name: 'uplinks', key: IFNAME, elements: nameElements(spec.uplinks) },
      { name: 'shims', key: IFNAME, elements: nameElements(spec.shims) },
    ],
    chains: [
      {
        name: 'postrouting',
        hook: { type: 'nat', number: HOOKS.ip.postrouting, priority: PRIORITY_AFTER_SOURCE_NAT },
        rules: [
          [
            meta(NFT_META_IIFNAME),
            lookup('shims'),
            meta(NFT_META_OIFNAME),
            lookup('uplinks'),
            originalDestination(),
            lookup('networks'),
            counter(),
            masquerade(),
          ],
        ],
      },
    ],
  };
}
