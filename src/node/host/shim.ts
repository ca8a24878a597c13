import type { Mac } from '../../base/mac.ts';
import { isSysError, SysError } from '../../base/sys-error.ts';
import type { HostKernel, HostLink } from './ports.ts';
import type { HostWorld } from './world.ts';

const NAME = 'lh';
/** More uplinks than a node has, and names that others may have taken. */
const MOST_NAMES = 64;

/** Surplus shims that are removed in one go: removing a link takes the kernel 20 ms. */
const MOST_REMOVED = 8;

const ALIAS = 'leasehold: shim of ';

/** Written on the interface, so that a person sees whose it is, and we do when our records are lost. */
export function shimAlias(uplink: string): string {
  return `${ALIAS}${uplink}`;
}

/** Whether an interface of this alias is a shim, of whatever uplink. */
export function isShimAlias(alias: string | undefined): boolean {
  return alias?.startsWith(ALIAS) ?? false;
}

/**
 * The index of what a macvlan on this interface really stands on: the kernel puts a macvlan on a macvlan on the device
 * below that (macvlan_common_newlink). Undefined: that device is in another namespace.
 */
export function standsOn({ kind, index, masterIndex }: HostLink): number | undefined {
  return kind === 'macvlan' ? masterIndex : index;
}

/** Why an interface cannot carry a shim, nor pods; undefined: nothing is known against it. */
export function unfitness({ name, kind, alias }: HostLink): string | undefined {
  if (isShimAlias(alias)) return `${name} is a shim: name the interface below it in "master"`;
  if (kind !== 'ipvlan' && kind !== 'ipvtap') return undefined;
  return `${name} is an ${kind}, which carries no MAC address but its own: name the interface below it in "master"`;
}

type ShimName = { readonly name: string; readonly mac: Mac };

/**
 * The shims of an uplink, under whatever names: macvlans on it that have our alias, or the MAC address that pods know.
 * The best first: by name, then by MAC address. More than one is one too many.
 */
export function shimsOf(
  links: readonly HostLink[],
  uplink: HostLink,
  { name, mac }: ShimName,
): readonly HostLink[] {
  const alias = shimAlias(uplink.name);
  const rank = (link: HostLink): number => (link.mac === mac ? 0 : 1) + (link.name === name ? 0 : 2);
  return links
    .filter(
      (link) =>
        link.kind === 'macvlan' &&
        link.index !== uplink.index &&
        link.masterIndex === standsOn(uplink) &&
        (link.alias === alias || link.mac === mac),
    )
    .toSorted((a, b) => rank(a) - rank(b));
}

/** The best of these. */
export function findShim(links: readonly HostLink[], uplink: HostLink, shim: ShimName): HostLink | undefined {
  return shimsOf(links, uplink, shim)[0];
}

/** Those of these that are ours beyond doubt, and not needed. */
export function surplusShims(
  links: readonly HostLink[],
  uplink: HostLink,
  shim: ShimName,
): readonly HostLink[] {
  const [, ...others] = shimsOf(links, uplink, shim);
  return others.filter(({ alias }) => alias === shimAlias(uplink.name));
}

/** Removes what a fault, or two daemons, left: pods know one shim. Rejects with SysError. */
export async function removeSurplus(
  { kernel, log }: Pick<HostWorld, 'kernel' | 'log'>,
  uplink: string,
  surplus: readonly HostLink[],
): Promise<'all' | 'more'> {
  for (const { index, name } of surplus.slice(0, MOST_REMOVED)) {
    log.warn({ uplink, shim: name }, 'a shim that is not needed is removed');
    await kernel.deleteLink(index);
  }
  return surplus.length > MOST_REMOVED ? 'more' : 'all';
}

/** The same of which only the uplink's name is known. */
export function shimOf(links: readonly HostLink[], uplink: string): HostLink | undefined {
  return links.find(({ kind, alias }) => kind === 'macvlan' && alias === shimAlias(uplink));
}

/**
 * Makes it under the name it had, or under the first that is free where others have taken that. Rejects with SysError:
 * EEXIST when all names are taken, EOPNOTSUPP for an uplink that cannot carry one, EXDEV when it would not be found again;
 * then none is left.
 */
export async function makeShim(
  kernel: HostKernel,
  links: readonly HostLink[],
  uplink: HostLink,
  { name: wanted, mac }: ShimName,
): Promise<HostLink> {
  const unfit = unfitness(uplink);
  if (unfit !== undefined) throw new SysError(`make ${wanted}`, 'EOPNOTSUPP', unfit);
  const taken = new Set(links.map(({ name }) => name));
  const others = Array.from({ length: MOST_NAMES }, (_, at) => `${NAME}${at}`);
  const free = [...new Set([wanted, ...others])].filter((name) => !taken.has(name));
  for (const name of free) {
    try {
      const alias = shimAlias(uplink.name);
      await kernel.createShim({ name, masterIndex: uplink.index, mac, mtu: uplink.mtu, alias });
    } catch (error) {
      if (isSysError(error, 'EEXIST')) continue;
      throw error;
    }
    return await foundAgain(kernel, uplink, { name, mac });
  }
  throw new SysError(
    `make ${wanted}`,
    'EEXIST',
    `the names ${NAME}0 to ${NAME}${MOST_NAMES - 1} are all taken`,
  );
}

/** What is not found again would be made again by every look, and stay for good. */
async function foundAgain(kernel: HostKernel, uplink: HostLink, shim: ShimName): Promise<HostLink> {
  const links = await kernel.links();
  const made = links.find(({ name }) => name === shim.name);
  if (made === undefined) {
    throw new SysError(`make ${shim.name}`, 'ENODEV', 'it was made and is gone again');
  }
  if (shimsOf(links, uplink, shim).some(({ index }) => index === made.index)) return made;
  await kernel.deleteLink(made.index);
  const why = `what is made on ${uplink.name} (${uplink.kind ?? 'device'}) stands on another device`;
  throw new SysError(`make ${shim.name}`, 'EXDEV', `${why}: name that one in "master"`);
}

/** The first name that neither an interface nor another record has. */
export function firstShimName(links: readonly HostLink[], recorded: readonly string[]): string {
  const taken = new Set([...links.map(({ name }) => name), ...recorded]);
  for (let at = 0; ; at++) {
    const name = `${NAME}${at}`;
    if (!taken.has(name)) return name;
  }
}
