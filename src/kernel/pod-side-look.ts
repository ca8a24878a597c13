import { createHash } from 'node:crypto';
import { type Cidr, formatCidr, networkOf } from '../base/cidr.ts';
import type { Ipv4 } from '../base/ipv4.ts';
import type { Mac } from '../base/mac.ts';
import { isSysError } from '../base/sys-error.ts';
import { NUD_PERMANENT } from '../wire/netlink/neighbour.ts';
import type { Route } from '../wire/netlink/route.ts';
import { putTableRequests } from '../wire/nftables/table.ts';
import { lastHopTable, lastHopTableName } from './last-hop-table.ts';
import { POD_DUMP_LIMIT } from './netlink-dump.ts';
import type { NetNs } from './netns.ts';
import { Nftables } from './nftables.ts';
import { RTPROT_LEASEHOLD } from './own-routes.ts';
import type { Rtnl } from './rtnl.ts';
import { byDestination, movedRoutes, serviceRoutes } from './service-routes.ts';

/** What a pod's way to the services should be. */
export type ServicesWanted = {
  readonly index: number;
  readonly networks: readonly Cidr<Ipv4>[];
  readonly nextHop: Ipv4;
  readonly shimMac: Mac;
};

/** What is missing or wrong in a pod of its way to the services: one short text each. Rejects with SysError. */
export async function serviceProblems(rtnl: Rtnl, wanted: ServicesWanted): Promise<readonly string[]> {
  const { index, networks, nextHop, shimMac } = wanted;
  const routes = await serviceRoutes(rtnl, index, networks.length > 0);
  const seenTo = byDestination(routes);
  const isOwn = (route: Route): boolean => route.index === index && route.gateway === nextHop;
  const isIn = (seen: ReturnType<typeof byDestination>, text: string): boolean =>
    seen.get(text)?.some(isOwn) ?? false;
  const texts = networks.map((network) => formatCidr(networkOf(network)));
  const isMoved = texts.some((text) => !isIn(seenTo, text));
  const everywhere = isMoved ? byDestination(await movedRoutes(rtnl, index)) : seenTo;
  const problems = texts.flatMap((text) => {
    const rivals = seenTo.get(text) ?? [];
    if (!rivals.some(isOwn)) return isIn(everywhere, text) ? [] : [`no route to ${text} by ${nextHop}`];
    // The kernel lists those to one destination in the order in which it takes them.
    const [first] = rivals;
    return first === undefined || isOwn(first) ? [] : [`another route to ${text} comes before ours`];
  });
  const wantedTo = new Set(texts);
  const stale = routes.filter(
    ({ protocol, dst, ...route }) =>
      protocol === RTPROT_LEASEHOLD && route.index === index && !wantedTo.has(formatCidr(dst)),
  );
  problems.push(
    ...stale.map(({ dst }) => `a route to ${formatCidr(dst)}, which is no service network any more`),
  );
  if (networks.length === 0) return problems;
  const seen = await rtnl.neighbours.get({ index, address: nextHop });
  const isShim = seen?.mac === shimMac && (seen.state & NUD_PERMANENT) !== 0;
  return isShim ? problems : [...problems, `the neighbour ${nextHop} is not the shim`];
}

/** What a kernel without nf_tables, or without the family, says. */
const UNSUPPORTED = ['EAFNOSUPPORT', 'EPROTONOSUPPORT', 'EOPNOTSUPP'];

/**
 * What is wrong with the last hop of an interface; undefined: nothing, or the kernel has no nf_tables. The table of
 * another release counts as right as long as it is not dormant: it works, and knows the open connections. SysError.
 */
export async function lastHopProblem(netns: NetNs, ifname: string): Promise<string | undefined> {
  try {
    await using tables = Nftables.open(netns, POD_DUMP_LIMIT);
    const seen = await tables.see(lastHopTableName(ifname));
    if (seen === undefined) return `no last hop on ${ifname}`;
    const wrong = `the last hop on ${ifname} is dormant or was changed`;
    if (seen.dormant) return wrong;
    const table = lastHopTable(ifname);
    if (!seen.comment.includes(`(${versionOf(ifname)})`)) return undefined;
    return (await tables.isAsSpecified(table)) ? undefined : wrong;
  } catch (error) {
    if (isSysError(error, ...UNSUPPORTED)) return undefined;
    throw error;
  }
}

/** As last-hop.ts writes it into the table's comment. */
const DIGEST_DIGITS = 12;
const versions = new Map<string, string>();
/** Interfaces of pods have few names. */
const VERSIONS_MAX = 16;

function versionOf(ifname: string): string {
  const kept = versions.get(ifname);
  if (kept !== undefined) return kept;
  const digest = createHash('sha256');
  for (const { payload } of putTableRequests(lastHopTable(ifname))) digest.update(payload);
  const version = digest.digest('hex').slice(0, DIGEST_DIGITS);
  if (versions.size < VERSIONS_MAX) versions.set(ifname, version);
  return version;
}
