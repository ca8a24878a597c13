import { isDefault } from '../../base/cidr.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { CniError } from '../spec/errors.ts';
import { withoutUndefined, type CniResult, type CniRoute } from '../spec/result.ts';
import type { OverrideConfig, WantedRoute } from './config.ts';
import {
  destinationKey,
  destinationsOf,
  hasDefaultMetric,
  isLinkLocal,
  routeKey,
  routeText,
  type InterfaceRoute,
  type RouteSpec,
} from './routes.ts';

/** What to do, in this order: remove each of `delete` (one that is gone meanwhile is done), then make each of `add`. */
export type OverridePlan<R extends InterfaceRoute> = {
  /** Members of the routes that were given, so that the caller's own form of a route comes back. */
  readonly delete: readonly R[];
  readonly add: readonly RouteSpec[];
  /** What the plugin answers. */
  readonly result: CniResult;
};

/**
 * Plans an ADD. `current` are the routes of `targetInterface(prevResult)` in the main table.
 *
 * Kept from the original (route-override-cni): flush, then gateway, then `delroutes`, then `addroutes`; which routes a flush spares;
 * `delroutes` goes by the destination, its gw is not looked at, and an entry that is not in the previous result does
 * nothing; the result loses all its routes with `flushroutes`.
 *
 * Changed: `delroutes` counts beside `flushroutes` too, as its documentation says; a default route in `delroutes`
 * is also removed from the kernel, not from the result alone; a flushed gateway is left out of the result, where
 * the original writes 0.0.0.0 or "::", which other plugins take for a gateway; a route that is there already is no
 * failure; one that must fail is an error before anything is touched. Errors: 7 without prevResult, 109 for a route.
 */
export function planOverride<R extends InterfaceRoute>(
  config: OverrideConfig,
  prevResult: CniResult | undefined,
  current: readonly R[],
): Result<OverridePlan<R>, CniError> {
  if (prevResult === undefined) return err(missingPrevResult());
  const listed = destinationsOf(config.delRoutes).intersection(destinationsOf(prevResult.routes));
  const goes = (route: R): boolean =>
    (config.flushRoutes && isFlushed(route)) ||
    (config.flushGateway && isDefault(route.dst)) ||
    listed.has(destinationKey(route.dst));
  const stays = current.filter((route) => !goes(route));
  const rivals = new Map(stays.filter(hasDefaultMetric).map((route) => [destinationKey(route.dst), route]));
  const there = new Set(stays.map(routeKey));
  const add: RouteSpec[] = [];
  for (const wanted of config.addRoutes) {
    if (there.has(routeKey(wanted))) continue;
    const rival = rivals.get(destinationKey(wanted.dst));
    if (rival !== undefined) return err(blocked(wanted, rival));
    there.add(routeKey(wanted));
    add.push({ ...wanted, scope: wanted.gateway === undefined ? 'link' : 'global' });
  }
  return ok({ delete: current.filter(goes), add, result: overrideResult(config, prevResult) });
}

export function missingPrevResult(): CniError {
  const text = 'prevResult is missing: route-override must be chained after a plugin that makes an interface';
  return new CniError(
    'invalid-config',
    text,
    'Put it behind that plugin in the "plugins" list of a conflist.',
  );
}

/**
 * A flush takes what is not of scope link and is the default or has a gateway, but for link-local destinations: so
 * connected networks stay, those of IPv6 too, which have no gateway though they are of scope global.
 */
function isFlushed(route: InterfaceRoute): boolean {
  if (route.scope === 'link') return false;
  return isDefault(route.dst) || (route.gateway !== undefined && !isLinkLocal(route.dst.address));
}

function blocked(wanted: WantedRoute, rival: InterfaceRoute): CniError {
  const text = `cannot add ${routeText(wanted)}: the interface keeps ${routeText(rival)}`;
  return new CniError(
    'route-failed',
    `route-override ${text}`,
    'Name it in delroutes, or leave it out of addroutes.',
  );
}

function overrideResult(config: OverrideConfig, prev: CniResult): CniResult {
  const listed = destinationsOf(config.delRoutes);
  const goes = ({ dst }: CniRoute): boolean =>
    config.flushRoutes || (config.flushGateway && isDefault(dst)) || listed.has(destinationKey(dst));
  const kept = prev.routes.filter((route) => !goes(route));
  // No route is told twice. One that differs in its gateway is told beside the other, as they are in the kernel,
  // where they have different metrics.
  const told = new Set(kept.map(({ dst, gw }) => routeKey({ dst, gateway: gw })));
  const added: CniRoute[] = [];
  for (const wanted of config.addRoutes) {
    if (told.has(routeKey(wanted))) continue;
    told.add(routeKey(wanted));
    added.push(withoutUndefined({ dst: wanted.dst, gw: wanted.gateway }));
  }
  const ips = config.flushGateway
    ? prev.ips.map((ip) => withoutUndefined({ ...ip, gateway: undefined }))
    : prev.ips;
  return { ...prev, ips, routes: [...kept, ...added] };
}
