import type { HostLink } from './ports.ts';
import type { UplinkRecord } from './record.ts';
import { isShimAlias, shimAlias, standsOn } from './shim.ts';

/** An interface by which traffic leaves the node. */
export type WayOut = Pick<HostLink, 'index' | 'name'>;

/** What is known of an uplink beside its record. */
export type UplinkKnown = {
  /** Its index at the last look of this run; undefined: none yet, or it was away then. */
  readonly index: number | undefined;
  readonly bootId: string;
};

/**
 * The interface that an uplink is now. It is followed by its index, for it may get another name; at the start by its
 * shim, which stays where it was made. Undefined: it is away.
 */
export function findUplinkLink(
  links: readonly HostLink[],
  record: UplinkRecord,
  { index, bootId }: UplinkKnown,
): HostLink | undefined {
  const others = links.filter(({ alias }) => !isShimAlias(alias));
  const known = others.find((link) => link.index === index);
  return (
    known ?? aboveShim(links, others, record, bootId) ?? links.find(({ name }) => name === record.uplink)
  );
}

/** Of several that the shim may be of, a macvlan and what is below it, the one that has the name, then the index. */
function aboveShim(
  links: readonly HostLink[],
  others: readonly HostLink[],
  { uplink, shim, sysctls }: UplinkRecord,
  bootId: string,
): HostLink | undefined {
  const isHere = others.some(({ name }) => name === uplink);
  const shims = links.filter(
    ({ kind, mac, alias }) =>
      kind === 'macvlan' && (alias === shimAlias(uplink) || (!isHere && mac === shim.mac)),
  );
  const below = (shims.find(({ mac }) => mac === shim.mac) ?? shims[0])?.masterIndex;
  if (below === undefined) return undefined;
  const fitting = others.filter((link) => standsOn(link) === below);
  const before = sysctls.bootId === bootId ? sysctls.index : undefined;
  return (
    fitting.find(({ name }) => name === uplink) ??
    fitting.find((link) => link.index === before) ??
    fitting.find((link) => link.index === below)
  );
}

/** The interfaces by which traffic of this uplink leaves: the uplink and, of a macvlan, the device below it. */
export function waysOut(links: readonly HostLink[], uplink: HostLink): readonly WayOut[] {
  const below = links.find(({ index }) => index !== uplink.index && index === standsOn(uplink));
  return below === undefined ? [uplink] : [uplink, below];
}
