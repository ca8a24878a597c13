import * as v from 'valibot';
import { formatCidr, networkOf, type Cidr } from '../../base/cidr.ts';
import { isIpv4, type Ip } from '../../base/ip.ts';
import { err, ok, type Result } from '../../base/result.ts';
import type { NetConf } from '../spec/conf.ts';
import { CniError } from '../spec/errors.ts';
import { type KeyTree, leaves } from '../spec/key-case.ts';
import { cidrText, listOf, maybe, MAX_ENTRIES, objectAt, optionalIp, readShape } from '../spec/schema.ts';
import { destinationKey } from './routes.ts';

/** A destination without host bits, and the next hop; without one the destination is on the interface itself. */
export type WantedRoute = { readonly dst: Cidr; readonly gateway?: Ip };

/** What `route-override` is asked to do, `args.cni` already applied. */
export type OverrideConfig = {
  readonly flushRoutes: boolean;
  readonly flushGateway: boolean;
  readonly delRoutes: readonly WantedRoute[];
  readonly addRoutes: readonly WantedRoute[];
  readonly skipCheck: boolean;
};

const wantedRoute = v.pipe(
  v.object({
    dst: v.pipe(
      cidrText,
      v.check(
        (dst) => networkOf(dst).address === dst.address,
        ({ input }) =>
          `${formatCidr(input)} has bits behind its prefix; write ${formatCidr(networkOf(input))}`,
      ),
    ),
    gw: optionalIp,
  }),
  v.check(
    ({ dst, gw }) => gw === undefined || isIpv4(gw) === isIpv4(dst.address),
    'dst and gw are not of one family',
  ),
  v.transform(({ dst, gw }): WantedRoute => {
    // The kernel takes an all-zero gateway as none; so do the results of the Go dhcp plugin.
    return gw === undefined || gw === '0.0.0.0' || gw === '::' ? { dst } : { dst, gateway: gw };
  }),
);

/** null and absent are the same, but an empty list is a value: in `args.cni` it takes away what the file says. */
const routeList = maybe(
  v.pipe(v.array(wantedRoute), v.maxLength(MAX_ENTRIES, `has more than ${MAX_ENTRIES} entries`)),
);

const overrideShape = v.object({
  flushroutes: maybe(v.boolean()),
  flushgateway: maybe(v.boolean()),
  delroutes: routeList,
  addroutes: routeList,
  skipcheck: maybe(v.boolean()),
  // Routes with several next hops, which newer releases of the original have.
  delecmproutes: listOf(v.unknown()),
  addecmproutes: listOf(v.unknown()),
});

const ROUTE_KEYS = leaves(['dst', 'gw']);

export const OVERRIDE_KEYS: KeyTree = {
  ...leaves(Object.keys(overrideShape.entries)),
  delroutes: ROUTE_KEYS,
  addroutes: ROUTE_KEYS,
};

/**
 * Reads the plugin's own keys; each may be overridden by `args.cni` (CNI conventions, "args in network config").
 * Errors: code 7 naming the key; 2 for routes with several next hops. The original accepts what cannot work, such
 * as a destination with host bits, and only writes to stderr that the kernel refused it.
 */
export function parseOverride(conf: NetConf): Result<OverrideConfig, CniError> {
  const own = readShape(overrideShape, conf.raw);
  if (!own.ok) return own;
  // `args` without `cni` is what others put there; the original crashes on it.
  const args = readShape(overrideShape, objectAt(conf.raw['args'], 'cni') ?? {}, 'args.cni');
  if (!args.ok) return args;
  for (const key of ['delecmproutes', 'addecmproutes'] as const) {
    if (own.value[key].length + args.value[key].length > 0) {
      return err(
        new CniError('unsupported-field', `${key}: routes with several next hops are not supported`),
      );
    }
  }
  const config = {
    flushRoutes: args.value.flushroutes ?? own.value.flushroutes ?? false,
    flushGateway: args.value.flushgateway ?? own.value.flushgateway ?? false,
    delRoutes: args.value.delroutes ?? own.value.delroutes ?? [],
    addRoutes: args.value.addroutes ?? own.value.addroutes ?? [],
    skipCheck: args.value.skipcheck ?? own.value.skipcheck ?? false,
  };
  const clash = findClash(config.addRoutes);
  return clash === undefined ? ok(config) : err(new CniError('invalid-config', clash));
}

/** Two next hops for one destination: the kernel takes the first and refuses the second. */
function findClash(routes: readonly WantedRoute[]): string | undefined {
  const gateways = new Map<string, Ip | undefined>();
  for (const [i, { dst, gateway }] of routes.entries()) {
    const key = destinationKey(dst);
    if (gateways.has(key) && gateways.get(key) !== gateway) {
      return `addroutes[${i}]: ${key} has another gw earlier in the list; keep one of them`;
    }
    gateways.set(key, gateway);
  }
  return undefined;
}
