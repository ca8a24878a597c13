import { err, ok, type Result } from '../base/result.ts';
import { isShimAlias } from './host/shim.ts';
import { matches } from './name-pattern.ts';
import type { DefaultRoute, LinkSeen, UplinkSource, UplinkState } from './ports.ts';

/** Which interface of the node the pods' links stand on, as a configuration says it. */
export type MasterChoice =
  /** The one with the default route. */
  | { readonly kind: 'auto' }
  /** The first of them that can be used. */
  | { readonly kind: 'names'; readonly names: readonly string[] }
  /** With `*` for any characters and `?` for one. */
  | { readonly kind: 'pattern'; readonly pattern: string };

export type UplinkProblem =
  | { readonly kind: 'missing'; readonly text: string }
  | { readonly kind: 'down'; readonly text: string; readonly link: UplinkState };

/**
 * The interface that the pods' links stand on: the named one, or the one with the default route of the lowest metric
 * (IPv4 first). It must be up; whether it has a carrier is for whoever sends through it.
 */
export async function findUplink(
  source: UplinkSource,
  name: string | undefined,
): Promise<Result<UplinkState, UplinkProblem>> {
  const link: LinkSeen | undefined =
    name === undefined ? await linkOfDefaultRoute(source) : await source.link(name);
  if (link === undefined) {
    const text =
      name === undefined
        ? 'no interface has a default route: name the uplink in "master"'
        : `master "${name}" does not exist`;
    return err({ kind: 'missing', text });
  }
  if (hasOneMac(link)) {
    const text = `${link.name} is an ${link.kind}, which carries no MAC address but its own`;
    return err({ kind: 'missing', text: `${text}: name the interface below it in "master"` });
  }
  return link.up ? ok(link) : err(isDown(link));
}

/** An ipvlan has the MAC address of its parent, and pods have their own. Not known of a link that was asked for by name. */
function hasOneMac({ kind }: LinkSeen): boolean {
  return kind === 'ipvlan' || kind === 'ipvtap';
}

/** What stands on another device, and what leads to a pod or to nowhere: no pattern means these. */
const NO_UPLINKS: ReadonlySet<string> = new Set(['macvlan', 'macvtap', 'ipvlan', 'ipvtap', 'veth', 'dummy']);

/**
 * The interface that a configuration chooses. Of several names it is the first that is up and has a carrier, else the
 * first that is up. A pattern is for the interface with the default route if it fits, else for the first one (by index)
 * that can be an uplink: no port of a bridge, no link of a pod.
 */
export function chooseMaster(
  source: UplinkSource,
  choice: MasterChoice,
): Promise<Result<UplinkState, UplinkProblem>> {
  switch (choice.kind) {
    case 'auto':
      return findUplink(source, undefined);
    case 'names':
      return ofNames(source, choice.names);
    case 'pattern':
      return ofPattern(source, choice.pattern);
  }
}

async function ofNames(
  source: UplinkSource,
  names: readonly string[],
): Promise<Result<UplinkState, UplinkProblem>> {
  const problems: UplinkProblem[] = [];
  const links: UplinkState[] = [];
  for (const name of names) {
    const found = await findUplink(source, name);
    if (found.ok) links.push(found.value);
    else problems.push(found.error);
  }
  const link = best(links);
  if (link !== undefined) return ok(link);
  const text = problems.map((problem) => problem.text).join('; ');
  const down = problems.find((problem) => problem.kind === 'down');
  return err(down === undefined ? { kind: 'missing', text } : { ...down, text });
}

async function ofPattern(source: UplinkSource, pattern: string): Promise<Result<UplinkState, UplinkProblem>> {
  const fitting = (await source.links()).filter(
    (link) =>
      link.name !== 'lo' && isNamedLike(pattern, link) && !isShimAlias(link.alias) && !hasOneMac(link),
  );
  const routes = byMetric(await source.defaultRoutes());
  const routed = routes.flatMap(({ index }) => fitting.filter((link) => link.index === index));
  const others = fitting.filter(canBeUplink).toSorted((a, b) => a.index - b.index);
  const link = best([...routed, ...others].filter(({ up }) => up));
  if (link !== undefined) return ok(link);
  const [down] = [...routed, ...others];
  if (down !== undefined) return err(isDown(down));
  const text = `no interface that can be an uplink matches master "${pattern}"`;
  return err({ kind: 'missing', text });
}

/** As people and systemd know interfaces by: the name or an alternative one. */
function isNamedLike(pattern: string, { name, altNames = [] }: LinkSeen): boolean {
  return [name, ...altNames].some((one) => matches(pattern, one));
}

function canBeUplink({ kind, controllerIndex }: LinkSeen): boolean {
  return controllerIndex === undefined && (kind === undefined || !NO_UPLINKS.has(kind));
}

/** Of links that are up, in their order. */
function best(links: readonly UplinkState[]): UplinkState | undefined {
  return links.find(({ lowerUp }) => lowerUp) ?? links[0];
}

function isDown(link: UplinkState): UplinkProblem {
  const { name } = link;
  return { kind: 'down', text: `master "${name}" is down: ip link set ${name} up`, link };
}

async function linkOfDefaultRoute(source: UplinkSource): Promise<LinkSeen | undefined> {
  const [first] = byMetric(await source.defaultRoutes());
  if (first === undefined) return undefined;
  const link = await source.linkByIndex(first.index);
  // A DHCP client that takes a shim for an interface of its own gives it a default route: the uplink is below it.
  const below = isShimAlias(link?.alias) ? link?.masterIndex : undefined;
  return below === undefined ? link : source.linkByIndex(below);
}

/** Those that name an interface; the lowest metric first, IPv4 first of equals. */
function byMetric(routes: readonly DefaultRoute[]): readonly (DefaultRoute & { readonly index: number })[] {
  return routes
    .flatMap((route) => (route.index === undefined ? [] : [{ ...route, index: route.index }]))
    .toSorted((a, b) => (a.metric ?? 0) - (b.metric ?? 0));
}
