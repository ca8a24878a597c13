import type { Mac } from '../base/mac.ts';
import type { Result } from '../base/result.ts';
import { encodeBpf } from '../wire/bpf-assembler.ts';
import { decodeAddress, RTM_DELADDR, RTM_NEWADDR } from '../wire/netlink/address.ts';
import type { NetlinkProblem } from '../wire/netlink/attributes.ts';
import type { NetlinkMessage } from '../wire/netlink/message.ts';
import { decodeNeighbour, neighbourHeader, RTM_DELNEIGH, RTM_NEWNEIGH } from '../wire/netlink/neighbour.ts';
import { decodeNetconf, NETCONFA_IFINDEX_DEFAULT, RTM_NEWNETCONF } from '../wire/netlink/netconf.ts';
import { networkProgram } from '../wire/netlink/notice-filter.ts';
import {
  decodeRoute,
  type Route,
  RT_TABLE_MAIN,
  RTM_DELROUTE,
  RTM_NEWROUTE,
  RTN_UNICAST,
} from '../wire/netlink/route.ts';
import { decodeRule, RTM_DELRULE, RTM_NEWRULE } from '../wire/netlink/rule.ts';
import { AF_INET } from '../wire/netlink/rtnetlink.ts';
import {
  anyRoutes,
  type HostAddress,
  hostAddress,
  type HostNeighbour,
  hostNeighbour,
  type HostRoute,
  type HostRule,
  hostRule,
} from './host-side-network.ts';
import { type LinkNotice, RTNLGRP_LINK, tellLink } from './link-watch.ts';
import { openNotices } from './netlink-notices.ts';

// linux/rtnetlink.h
const RTNLGRP_NEIGH = 3;
const RTNLGRP_IPV4_IFADDR = 5;
const RTNLGRP_IPV4_ROUTE = 7;
const RTNLGRP_IPV4_RULE = 8;
const RTNLGRP_IPV4_NETCONF = 24;
const GROUPS = [
  RTNLGRP_LINK,
  RTNLGRP_NEIGH,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV4_RULE,
  RTNLGRP_IPV4_NETCONF,
] as const;

/** As node/host/ports.ts has it. `index` is 0 for a route of several next hops, and for a sysctl of conf.all. */
export type NetworkNotice =
  | {
      readonly kind: 'link';
      readonly gone: boolean;
      readonly index: number;
      readonly name: string;
      readonly up: boolean;
      readonly lowerUp: boolean;
      readonly mac?: Mac | undefined;
      readonly mtu?: number | undefined;
    }
  | {
      readonly kind: 'address';
      readonly gone: boolean;
      readonly index: number;
      readonly cidr: HostAddress['cidr'];
    }
  | ({ readonly kind: 'route'; readonly gone: boolean } & HostRoute)
  | {
      readonly kind: 'dead-end';
      readonly gone: boolean;
      readonly index: 0;
      readonly dst: HostRoute['dst'];
    }
  | ({ readonly kind: 'neighbour'; readonly gone: boolean } & HostNeighbour)
  | ({ readonly kind: 'rule'; readonly gone: boolean } & HostRule)
  | { readonly kind: 'sysctl'; readonly index: number };

export type NetworkWatchers = {
  /** Of every link, as `watchLinks` tells it; the same change comes to `onNotice` right after. */
  readonly onLink: (notice: LinkNotice) => void;
  readonly onNotice: (notice: NetworkNotice) => void;
  /** A LAN's neighbours come and go all the time: only those of these interfaces are read and told. */
  readonly wantsNeighbours: (index: number) => boolean;
  /** Of the netlink socket with this port id the routes and neighbours that it changes are not told. */
  readonly own: number;
  /** Notices are missing, so the caller looks itself; what comes after is newer than that. */
  readonly onLost: () => void;
};

export type NetworkWatch = {
  /** Tells at once of all that the kernel has told until now. False: there may be more of it, or some is lost. */
  readonly hearNow: () => boolean;
  readonly close: () => void;
};

/**
 * Tells of every change of a link, an IPv4 address, an IPv4 route of the main table, an IPv4 neighbour, an IPv4 rule that
 * prohibits a network to what comes in by one interface, and of the sysctls that the kernel tells of, in the order in which
 * they were made, in the daemon's own namespace (or that where the thread is). Throws SysError.
 *
 * What the kernel does not tell: the end of routes that go with their link (deleted, or set down), with the last IPv4
 * address of their interface, because another one replaced them (NLM_F_REPLACE: there is a notice of that one), or,
 * on older kernels than Linux 6.18, with the address that is their source. And no sysctl but those of `decodeNetconf`.
 */
export function watchNetwork(watchers: NetworkWatchers): NetworkWatch {
  let open = true;
  const notices = openNotices(
    'watch the network',
    GROUPS,
    {
      onMessage: (message) => tell(message, watchers, () => open),
      onLost: watchers.onLost,
    },
    { filter: encodeBpf(networkProgram(watchers.own)) },
  );
  return {
    hearNow: () => notices.hearNow(),
    close: () => {
      open = false;
      notices.close();
    },
  };
}

/** False for a message that cannot be read. */
function tell(message: NetlinkMessage, watchers: NetworkWatchers, isOpen: () => boolean): boolean {
  const { type, payload } = message;
  const { onNotice } = watchers;
  switch (type) {
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return each(decodeAddress(payload), hostAddress, ({ index, cidr }) =>
        onNotice({ kind: 'address', gone: type === RTM_DELADDR, index, cidr }),
      );
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return each(decodeRoute(payload), mainRoute, ({ isDeadEnd, ...route }) => {
        const gone = type === RTM_DELROUTE;
        onNotice(
          isDeadEnd
            ? { kind: 'dead-end', gone, index: 0, dst: route.dst }
            : { kind: 'route', gone, ...route },
        );
      });
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
      return tellNeighbour(message, watchers);
    case RTM_NEWRULE:
    case RTM_DELRULE:
      return each(decodeRule(payload), hostRule, (rule) =>
        onNotice({ kind: 'rule', gone: type === RTM_DELRULE, ...rule }),
      );
    case RTM_NEWNETCONF:
      return each(decodeNetconf(payload), interfaceOf, (index) => onNotice({ kind: 'sysctl', index }));
    default:
      return tellLink(message, (link) => {
        watchers.onLink(link);
        const { removed, ...rest } = link;
        if (isOpen()) onNotice({ kind: 'link', gone: removed, ...rest });
      });
  }
}

function each<T, U>(
  decoded: Result<T, NetlinkProblem>,
  choose: (value: T) => readonly U[],
  tellOne: (value: U) => void,
): boolean {
  if (!decoded.ok) return false;
  for (const value of choose(decoded.value)) tellOne(value);
  return true;
}

/** One notice, whatever the number of next hops. */
function mainRoute(route: Route): readonly (HostRoute & { readonly isDeadEnd: boolean })[] {
  if (route.table !== RT_TABLE_MAIN) return [];
  const { nexthops, ...rest } = route;
  const isDeadEnd = route.type !== RTN_UNICAST;
  return anyRoutes(nexthops === undefined ? route : { ...rest, index: 0 }).map((one) => ({
    ...one,
    isDeadEnd,
  }));
}

/** conf.default is no interface's; conf.all may be any's (rp_filter: the higher of both counts). */
function interfaceOf({
  family,
  index,
}: {
  readonly family: number;
  readonly index: number;
}): readonly number[] {
  if (family !== AF_INET || index === NETCONFA_IFINDEX_DEFAULT) return [];
  return [Math.max(index, 0)];
}

function tellNeighbour({ type, payload }: NetlinkMessage, watchers: NetworkWatchers): boolean {
  const header = neighbourHeader(payload);
  if (!header.ok) return false;
  if (header.value.family !== AF_INET || !watchers.wantsNeighbours(header.value.index)) return true;
  return each(decodeNeighbour(payload), hostNeighbour, (neighbour) =>
    watchers.onNotice({ kind: 'neighbour', gone: type === RTM_DELNEIGH, ...neighbour }),
  );
}
