import type { Mac } from '../../base/mac.ts';
import { isSysError, SysError } from '../../base/sys-error.ts';
import type { HostKernel, HostLink } from './ports.ts';

const NAME = 'lh';
/** More uplinks than a node has, and names that others may have taken. */
const MOST_NAMES = 64;

const ALIAS = 'leasehold: shim of ';

/** Written on the interface, so that a person sees whose it is, and we do when our records are lost. */
export function shimAlias(uplink: string): string {
  return `${ALIAS}${uplink}`;
}

/** Whether an interface of this alias is a shim, of whatever uplink. */
export function isShimAlias(alias: string | undefined): boolean {
  return alias?.startsWith(ALIAS) ?? false;
}

/** The shim of an uplink, under whatever name: a macvlan on it that has our alias, or the MAC address that pods know. */
export function findShim(
  links: readonly HostLink[],
  uplink: HostLink,
  { name, mac }: { readonly name: string; readonly mac: Mac },
): HostLink | undefined {
  const ours = links.filter(
    (link) =>
      link.kind === 'macvlan' &&
      link.masterIndex === uplink.index &&
      (link.alias === shimAlias(uplink.name) || link.mac === mac),
  );
  return ours.find((link) => link.name === name) ?? ours[0];
}

/** The same of which only the uplink's name is known. */
export function shimOf(links: readonly HostLink[], uplink: string): HostLink | undefined {
  return links.find(({ kind, alias }) => kind === 'macvlan' && alias === shimAlias(uplink));
}

/**
 * Makes it under the name it had, or under the first that is free where others have taken that. Rejects with SysError,
 * EEXIST when all names are taken.
 */
export async function makeShim(
  kernel: HostKernel,
  links: readonly HostLink[],
  uplink: HostLink,
  { name: wanted, mac }: { readonly name: string; readonly mac: Mac },
): Promise<HostLink> {
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
    const link = (await kernel.links()).find((one) => one.name === name);
    if (link !== undefined) return link;
    throw new SysError(`make ${name}`, 'ENODEV', 'it was made and is gone again');
  }
  throw new SysError(
    `make ${wanted}`,
    'EEXIST',
    `the names ${NAME}0 to ${NAME}${MOST_NAMES - 1} are all taken`,
  );
}

/** The first name that neither an interface nor another record has. */
export function firstShimName(links: readonly HostLink[], recorded: readonly string[]): string {
  const taken = new Set([...links.map(({ name }) => name), ...recorded]);
  for (let at = 0; ; at++) {
    const name = `${NAME}${at}`;
    if (!taken.has(name)) return name;
  }
}
