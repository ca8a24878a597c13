import { isDefault, type Cidr } from '../../base/cidr.ts';
import type { Ip } from '../../base/ip.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { CniError } from '../spec/errors.ts';
import type { CniResult, CniRoute } from '../spec/result.ts';
import type { OverrideConfig } from './config.ts';
import { missingPrevResult } from './plan.ts';
import { destinationKey, destinationsOf, routeText, type InterfaceRoute } from './routes.ts';

export type Mismatch = {
  readonly kind: 'not-removed' | 'missing' | 'other-gateway';
  /** The route and what is wrong with it, in words. */
  readonly text: string;
};

/**
 * Plans a CHECK: compares what was asked with the routes of `targetInterface(prevResult)` in the main table; an
 * empty list means that all is well. `prevResult` is that of the whole chain, so a route that a later plugin took
 * out is not missed; one that it moved to another table (`sbr`, `vrf`) is among `everywhere`, those of all
 * tables.
 *
 * Kept from the original: `skipcheck`; all routes of the result are looked for, and one without gw may have the
 * gateway of an address. Changed: routes are compared by destination, while the original asks the kernel for the way
 * to the address, so that any default route makes it say that a `delroutes` entry is not removed; a destination that
 * is in both lists, as in its documentation, is no mismatch; nor are several routes to one destination; nor a
 * connected network that `delroutes` names, which ADD does not remove either.
 * Errors: 7 without prevResult.
 */
export function checkOverride(
  config: OverrideConfig,
  prevResult: CniResult | undefined,
  current: readonly InterfaceRoute[],
  everywhere: readonly InterfaceRoute[] = current,
): Result<readonly Mismatch[], CniError> {
  if (config.skipCheck) return ok([]);
  if (prevResult === undefined) return err(missingPrevResult());
  const told = destinationsOf(prevResult.routes);
  const unwanted = config.delRoutes.filter((wanted) => !told.has(destinationKey(wanted.dst)));
  const inMain = seenIn(current);
  const seen = seenIn(everywhere);
  const gateways = prevResult.ips.map((ip) => ip.gateway);
  return ok([
    ...unwanted.flatMap((wanted) => findUnwanted(inMain(wanted.dst))),
    ...prevResult.routes.flatMap((route) => findMissing(route, gateways, seen(route.dst))),
  ]);
}

function seenIn(routes: readonly InterfaceRoute[]): (dst: Cidr) => readonly InterfaceRoute[] {
  const byDestination = Map.groupBy(routes, (route) => destinationKey(route.dst));
  return (dst) => byDestination.get(destinationKey(dst)) ?? [];
}

const MAX_NAMED = 8;

/** The answer to a CHECK that found something. */
export function mismatchError(ifname: string, mismatches: readonly Mismatch[]): CniError {
  const named = mismatches.slice(0, MAX_NAMED).map((mismatch) => mismatch.text);
  const more = mismatches.length - named.length;
  const list = named.join('; ') + (more > 0 ? `; and ${more} more` : '');
  return new CniError(
    'check-mismatch',
    `route-override: routes of ${ifname} are not as they were set: ${list}`,
  );
}

/** Of a destination that nobody wants: what is left of it in the kernel, connected networks aside. */
function findUnwanted(seen: readonly InterfaceRoute[]): readonly Mismatch[] {
  const left = seen.find((route) => isDefault(route.dst) || route.gateway !== undefined);
  return left === undefined ? [] : [{ kind: 'not-removed', text: `${routeText(left)} is not removed` }];
}

function findMissing(
  route: CniRoute,
  gateways: readonly (Ip | undefined)[],
  seen: readonly InterfaceRoute[],
): readonly Mismatch[] {
  const gateway = route.gw === '0.0.0.0' || route.gw === '::' ? undefined : route.gw;
  const wanted = routeText({ dst: route.dst, gateway });
  if (seen.length === 0) return [{ kind: 'missing', text: `${wanted} is missing` }];
  const allowed = gateway === undefined ? [undefined, ...gateways] : [gateway];
  if (seen.some((found) => allowed.includes(found.gateway))) return [];
  return [{ kind: 'other-gateway', text: `${wanted} is instead ${seen.map(routeText).join(' and ')}` }];
}
