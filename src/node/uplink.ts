import { err, ok, type Result } from '../base/result.ts';
import type { UplinkSource, UplinkState } from './ports.ts';

export type UplinkProblem =
  | { readonly kind: 'missing'; readonly text: string }
  | { readonly kind: 'down'; readonly text: string };

/**
 * The interface that the pods' links stand on: the named one, or the one with the default route of the lowest metric
 * (IPv4 first). It must be up; whether it has a carrier is for whoever sends through it.
 */
export async function findUplink(
  source: UplinkSource,
  name: string | undefined,
): Promise<Result<UplinkState, UplinkProblem>> {
  const link = name === undefined ? await linkOfDefaultRoute(source) : await source.link(name);
  if (link === undefined) {
    const text =
      name === undefined
        ? 'no interface has a default route: name the uplink in "master"'
        : `master "${name}" does not exist`;
    return err({ kind: 'missing', text });
  }
  if (!link.up)
    return err({ kind: 'down', text: `master "${link.name}" is down: ip link set ${link.name} up` });
  return ok(link);
}

async function linkOfDefaultRoute(source: UplinkSource): Promise<UplinkState | undefined> {
  const routes = await source.defaultRoutes();
  const best = routes
    .filter((route) => route.index !== undefined)
    .toSorted((a, b) => (a.metric ?? 0) - (b.metric ?? 0))
    .at(0);
  return best?.index === undefined ? undefined : source.linkByIndex(best.index);
}
