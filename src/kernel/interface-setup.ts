import { type Cidr, formatCidr } from '../base/cidr.ts';
import { isIpv4, isIpv6 } from '../base/ip.ts';
import { type Ipv4, ipv4FromNumber, ipv4ToNumber, maskFromPrefix } from '../base/ipv4.ts';
import type { Mac } from '../base/mac.ts';
import { isSysError, type SysError } from '../base/sys-error.ts';
import { type Duration, millis } from '../base/time.ts';
import {
  addAddressRequest,
  deleteAddressRequest,
  IFA_F_NOPREFIXROUTE,
  LONGEST_LIFETIME,
  type NewAddress,
  replaceAddressRequest,
} from '../wire/netlink/address.ts';
import type { InetConf } from '../wire/netlink/inet-conf.ts';
import { setLinkRequest } from '../wire/netlink/link-requests.ts';
import type { NetlinkRequest } from '../wire/netlink/message.ts';
import { addRouteRequest } from '../wire/netlink/route-requests.ts';
import { addressRuleRequest, noAddressRuleRequest } from './address-rules.ts';
import { IFAPROT_LEASEHOLD } from './own-routes.ts';
import { isSameRoute, newRoute, placeRoute, routeRemovals, type RouteThrough } from './pod-routes.ts';
import type { Rtnl } from './rtnl.ts';

/** A network of 31 bits or more has no broadcast address (RFC 3021). */
const LONGEST_PREFIX_WITH_BROADCAST = 30;
const MS_PER_SECOND = 1000;
/** The daemon takes an address off at the very end of its lease; the kernel, where nobody does, not before that. */
const GRACE_SECONDS = 1;
/** What a lifetime of whole seconds may be too long by when it is set, and again when it is read. */
const ROUNDED_UP = 1;
const BEGUN = 1;

/** What is gone already; EOPNOTSUPP is a kernel without rules (CONFIG_IP_MULTIPLE_TABLES), which has none of ours. */
const GONE = ['ESRCH', 'EADDRNOTAVAIL', 'ENODEV', 'ENOENT', 'EOPNOTSUPP'];

/** As lease/ports.ts and cni/ports.ts have it. */
export type InterfaceConfiguration = {
  readonly addresses: readonly Cidr[];
  readonly validFor?: Duration | undefined;
  readonly leased?: boolean | undefined;
  readonly prefixRoute?: boolean | undefined;
  readonly lookup?: number | undefined;
  readonly routes: readonly RouteThrough[];
  readonly mtu?: number | undefined;
  readonly removeRoutes?: readonly RouteThrough[] | undefined;
  readonly removeAddresses?: readonly Cidr[] | undefined;
  readonly announce?: Mac | undefined;
  readonly arpNotify?: boolean | undefined;
  readonly arpIgnore?: boolean | undefined;
};

/** As lease/ports.ts has it. */
export type LeasedAddress = { readonly address: Cidr<Ipv4>; readonly validFor: Duration | undefined };

/** What the setup needs of the namespace around it. */
export type SetupSite = {
  readonly rtnl: Rtnl;
  /** The MTU of the device below the interface: as much as it may have. Undefined when nobody limits it. */
  readonly highestMtu: (index: number) => Promise<number | undefined>;
  readonly enableIpv6: (index: number) => Promise<void>;
};

/**
 * Configures one interface. What is new comes first and what is old goes last, so that connections that can go on go
 * on; two hops to the kernel for all of it, one when nothing has to go. An address that is there stays and is valid for
 * `validFor` from now on; a route of this interface to the same place is replaced, one of another interface is not
 * touched. An MTU beyond what the device below has becomes the device's own. One thing that
 * the kernel refuses, such as a route, does not stop the others: rejects with its SysError when all else is done.
 */
export async function setUpInterface(
  site: SetupSite,
  index: number,
  wanted: InterfaceConfiguration,
): Promise<void> {
  const { rtnl } = site;
  if (wanted.addresses.some(({ address }) => isIpv6(address))) await site.enableIpv6(index);
  const linkRequest = basics(index, wanted);
  const addresses = wanted.addresses.map((address) => addressRequest(index, address, wanted));
  const rules = rulesOf(wanted);
  const routes = wanted.routes.map((route) => newRoute(index, route, wanted.addresses));
  const announcement = announce(index, wanted);
  const removing = isRemoving(wanted);
  const requests = [...linkRequest, ...addresses, ...routes.map(addRouteRequest), ...rules];
  const outcomes = await batch(rtnl, removing ? requests : [...requests, ...announcement]);

  const refused = linkRequest.length > 0 ? outcomes[0] : undefined;
  if (refused !== undefined) await setHighestMtu(site, index, wanted, refused);
  const rest = outcomes.slice(linkRequest.length);
  const failed = rest.find((error) => error !== undefined && error.code !== 'EEXIST');
  const rivalled = routes.filter((_, at) => rest[addresses.length + at]?.code === 'EEXIST');
  for (const route of rivalled) await placeRoute(rtnl, index, route);

  if (removing) await clear(rtnl, index, wanted);
  // Switched on too late for the first time when the MTU was refused.
  if (removing || refused !== undefined) throwFirst(await batch(rtnl, announcement));
  if (failed !== undefined) throw failed;
}

/** One that is there already is no error: false. */
export async function ensureAddress(rtnl: Rtnl, index: number, address: Cidr): Promise<boolean> {
  try {
    await rtnl.addresses.add(newAddress(index, address));
    return true;
  } catch (error) {
    if (isSysError(error, 'EEXIST')) return false;
    throw error;
  }
}

function basics(index: number, wanted: InterfaceConfiguration): readonly NetlinkRequest[] {
  const { mtu } = wanted;
  const inetConf = inetConfOf(wanted);
  if (mtu === undefined && inetConf === undefined) return [];
  return [setLinkRequest({ index, mtu, inetConf })];
}

function inetConfOf({ announce: mac, arpNotify, arpIgnore }: InterfaceConfiguration): InetConf | undefined {
  const notify = mac === undefined ? arpNotify : true;
  return notify === undefined && arpIgnore === undefined ? undefined : { arpNotify: notify, arpIgnore };
}

/** With arp_notify the kernel announces when a MAC is set, even to what it was (RFC 2131 4.4.1, RFC 5227 3). */
function announce(index: number, wanted: InterfaceConfiguration): readonly NetlinkRequest[] {
  if (wanted.announce === undefined || wanted.addresses.length === 0) return [];
  return [setLinkRequest({ index, mac: wanted.announce })];
}

/** A macvlan never has more than its parent (macvlan_change_mtu): better that than no address. */
async function setHighestMtu(
  site: SetupSite,
  index: number,
  wanted: InterfaceConfiguration,
  refused: SysError,
): Promise<void> {
  const highest = refused.code === 'EINVAL' ? await site.highestMtu(index) : undefined;
  if (highest === undefined || wanted.mtu === undefined || wanted.mtu <= highest) throw refused;
  throwFirst(await batch(site.rtnl, basics(index, { ...wanted, mtu: highest })));
}

function rulesOf({ addresses, lookup }: InterfaceConfiguration): readonly NetlinkRequest[] {
  return lookup === undefined ? [] : addresses.map(({ address }) => addressRuleRequest(address, lookup));
}

function isRemoving({ removeRoutes = [], removeAddresses = [] }: InterfaceConfiguration): boolean {
  return removeRoutes.length > 0 || removeAddresses.length > 0;
}

/** Routes before addresses; what is wanted as well stays, and what is gone already, link included, is no error. */
async function clear(rtnl: Rtnl, index: number, wanted: InterfaceConfiguration): Promise<void> {
  const { removeRoutes = [], removeAddresses = [] } = wanted;
  const oldRoutes = removeRoutes.filter((old) => !wanted.routes.some((route) => isSameRoute(old, route)));
  const kept = new Set(wanted.addresses.map(formatCidr));
  const oldAddresses = removeAddresses.filter((old) => !kept.has(formatCidr(old)));
  const routes = oldRoutes.length === 0 ? [] : await routeRemovals(rtnl, index, oldRoutes);
  const addresses =
    oldAddresses.length === 0
      ? []
      : [
          setLinkRequest({ index, inetConf: { promoteSecondaries: true } }),
          ...oldAddresses.map((cidr) => deleteAddressRequest({ index, cidr })),
          ...oldRules(oldAddresses, wanted),
        ];
  throwFirst(await batch(rtnl, [...routes, ...addresses]), GONE);
}

/** Of ours only, if there are any; the same address may stay with another prefix, and its rule then too. */
function oldRules(
  old: readonly Cidr[],
  { addresses, lookup }: InterfaceConfiguration,
): readonly NetlinkRequest[] {
  return old
    .filter(({ address }) => isIpv4(address))
    .filter(({ address }) => lookup === undefined || !addresses.some((kept) => kept.address === address))
    .map(({ address }) => noAddressRuleRequest(address));
}

function batch(rtnl: Rtnl, requests: readonly NetlinkRequest[]): Promise<readonly (SysError | undefined)[]> {
  return requests.length === 0 ? Promise.resolve([]) : rtnl.batch(requests);
}

function throwFirst(outcomes: readonly (SysError | undefined)[], allowed: readonly string[] = []): void {
  const failed = outcomes.find((error) => error !== undefined && !allowed.includes(error.code));
  if (failed !== undefined) throw failed;
}

/**
 * Of an IPv4 address that is there the kernel changes the lifetimes and IFA_PROTO and nothing else (inet_rtm_newaddr): its
 * place among the others, its routes and its connections stay. One of IPv6 would lose flags, and no lease has one.
 */
function addressRequest(
  index: number,
  cidr: Cidr,
  { validFor, prefixRoute, leased }: InterfaceConfiguration,
): NetlinkRequest {
  const address = {
    ...newAddress(index, cidr),
    ...(prefixRoute === false ? { flags: IFA_F_NOPREFIXROUTE } : {}),
    ...(leased === true ? { protocol: IFAPROT_LEASEHOLD } : {}),
  };
  if (!isIpv4(cidr.address)) return addAddressRequest(address);
  return replaceAddressRequest({
    ...address,
    validSecs: validFor === undefined ? undefined : lifetimeOf(validFor),
  });
}

function lifetimeOf(validFor: Duration): number {
  return Math.min(Math.ceil(validFor / MS_PER_SECOND) + GRACE_SECONDS, LONGEST_LIFETIME);
}

/**
 * Those of an interface that were put on it as `leased`, in the order in which the kernel has them, with what is left of
 * them: never more than there is. None on kernels before 5.18, which keep no IFA_PROTO. Rejects with SysError.
 */
export async function leasedAddresses(rtnl: Rtnl, index: number): Promise<readonly LeasedAddress[]> {
  return (await rtnl.addresses.list(index)).flatMap(({ cidr, protocol, validSecs }): LeasedAddress[] => {
    const { address, prefix } = cidr;
    if (protocol !== IFAPROT_LEASEHOLD || !isIpv4(address)) return [];
    return [
      { address: { address, prefix }, validFor: validSecs === undefined ? undefined : leftOf(validSecs) },
    ];
  });
}

/** Of the whole seconds that the kernel says: those that `lifetimeOf` put on top, and one that has begun. */
function leftOf(validSecs: number): Duration {
  return millis(Math.max(0, validSecs - GRACE_SECONDS - ROUNDED_UP - BEGUN) * MS_PER_SECOND);
}

function newAddress(index: number, cidr: Cidr): NewAddress {
  const { address, prefix } = cidr;
  if (!isIpv4(address) || prefix > LONGEST_PREFIX_WITH_BROADCAST) return { index, cidr };
  return { index, cidr, broadcast: broadcastOf(address, prefix) };
}

function broadcastOf(address: Ipv4, prefix: number): Ipv4 {
  return ipv4FromNumber((ipv4ToNumber(address) | ~ipv4ToNumber(maskFromPrefix(prefix))) >>> 0);
}
