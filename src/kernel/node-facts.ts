import { readFileSync } from 'node:fs';
import { isSysError } from '../base/sys-error.ts';
import type { Address } from '../wire/netlink/address.ts';
import type { Link } from '../wire/netlink/link.ts';
import type { RouteQuestion } from '../wire/netlink/route-requests.ts';
import { type Route, RTN_UNICAST } from '../wire/netlink/route.ts';
import {
  FR_ACT_BLACKHOLE,
  FR_ACT_PROHIBIT,
  FR_ACT_TO_TBL,
  FR_ACT_UNREACHABLE,
  type Rule,
} from '../wire/netlink/rule.ts';
import { KernelClusterFacts } from './cluster-facts.ts';
import { adjtimex } from './ffi.ts';
import { NetNs } from './netns.ts';
import { askProgram } from './node-command.ts';
import { digestOf, fileHolds, lookAt, readText, type FileLook } from './node-files.ts';
import { forwardChainsOf, tablesOf, type ForwardChain } from './nft-chains.ts';
import { listeningPaths } from './node-processes.ts';
import type { Rtnl } from './rtnl.ts';
import { readSysctl } from './sysctl.ts';

/** At least sizeof(struct timex) (sys/timex.h), of which the first field says what to change: nothing. */
const TIMEX_LENGTH = 256;
/** TIME_ERROR (sys/timex.h): the clock is not synchronised. */
const TIME_ERROR = 5;

/** As doctor/local/ports.ts has it. */
type PolicyRule = Omit<Rule, 'action' | 'table' | 'family'> & {
  readonly does: { readonly table: number } | Refusal | 'other';
};
type Refusal = 'blackhole' | 'unreachable' | 'prohibit';
type RouteFound =
  | { readonly kind: 'route'; readonly route: Route; readonly table: number }
  | { readonly kind: 'none'; readonly why: string };

const REFUSALS: ReadonlyMap<number, Refusal> = new Map([
  [FR_ACT_BLACKHOLE, 'blackhole'],
  [FR_ACT_UNREACHABLE, 'unreachable'],
  [FR_ACT_PROHIBIT, 'prohibit'],
]);

type Firewall =
  | { readonly kind: 'unknown'; readonly why: string }
  | { readonly kind: 'known'; readonly forward: readonly ForwardChain[]; readonly tables: readonly string[] };

/** What the doctor wants to know of the namespace and machine it runs on. It changes nothing. */
export class KernelNodeFacts extends KernelClusterFacts {
  readonly #rtnl: Rtnl;

  /** `rtnl` stays the caller's, to close. */
  constructor(rtnl: Rtnl) {
    super();
    this.#rtnl = rtnl;
  }

  look(path: string): FileLook | undefined {
    return lookAt(path);
  }

  digest(path: string): string | undefined {
    return digestOf(path);
  }

  holds(path: string, text: string): boolean {
    return fileHolds(path, text);
  }

  sysctl(key: readonly string[]): string | undefined {
    try {
      return readSysctl(NetNs.self(), key);
    } catch (error) {
      if (isSysError(error)) return undefined;
      throw error;
    }
  }

  async links(): Promise<readonly (Link & { readonly wireless: boolean })[]> {
    const links = await this.#rtnl.links.list();
    return links.map((link) => ({ ...link, wireless: isWireless(link) }));
  }

  addresses(): Promise<readonly Address[]> {
    return this.#rtnl.addresses.list();
  }

  async routes(): Promise<readonly Route[]> {
    const all = [...(await this.#rtnl.routes.list(4)), ...(await this.#rtnl.routes.list(6))];
    return all.filter(({ type }) => type === RTN_UNICAST).flatMap(waysOf);
  }

  async policyRules(): Promise<readonly PolicyRule[]> {
    try {
      return (await this.#rtnl.rules.list(4)).map(policyRule);
    } catch (error) {
      if (isSysError(error, 'EOPNOTSUPP')) return [];
      throw error;
    }
  }

  async routeOf(question: RouteQuestion): Promise<RouteFound> {
    try {
      const route = await this.#rtnl.routes.find(question);
      const [first = route] = waysOf(route);
      return { kind: 'route', route: first, table: route.table };
    } catch (error) {
      if (!isSysError(error)) throw error;
      return { kind: 'none', why: error.message };
    }
  }

  listeners(): ReadonlySet<string> {
    return listeningPaths();
  }

  async firewall(): Promise<Firewall> {
    if (!hasNftables()) return { kind: 'unknown', why: 'the module nf_tables is not loaded' };
    const chains = await askProgram('nft', ['-j', 'list', 'chains']);
    if (chains.kind === 'failed') return { kind: 'unknown', why: chains.why };
    const tables = await askProgram('nft', ['-j', 'list', 'tables']);
    if (tables.kind === 'failed') return { kind: 'unknown', why: tables.why };
    return { kind: 'known', forward: forwardChainsOf(chains.stdout), tables: tablesOf(tables.stdout) };
  }

  async rules(family: string, table: string, chain?: string): Promise<string | undefined> {
    const what = chain === undefined ? ['table', family, table] : ['chain', family, table, chain];
    const answer = await askProgram('nft', ['-j', 'list', ...what]);
    return answer.kind === 'done' ? answer.stdout : undefined;
  }

  clockSynchronised(): boolean | undefined {
    const state = adjtimex(new Uint8Array(TIMEX_LENGTH));
    return state < 0 ? undefined : state !== TIME_ERROR;
  }

  wallClock(): number {
    return Date.now();
  }

  kernelRelease(): string {
    return readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim();
  }
}

function policyRule({ action, table, ...rule }: Rule): PolicyRule {
  const does = action === FR_ACT_TO_TBL ? { table } : (REFUSALS.get(action) ?? 'other');
  return { ...rule, does };
}

/** A route of several next hops as one for each. */
function waysOf(route: Route): readonly Route[] {
  const { nexthops } = route;
  if (nexthops === undefined) return [route];
  return nexthops.map(({ index, gateway }) => ({
    ...route,
    index,
    ...(gateway === undefined ? {} : { gateway }),
  }));
}

/** /sys may show another namespace than this one: only a device of the same number is the one meant. */
function isWireless({ index, name }: Link): boolean {
  const folder = `/sys/class/net/${name}`;
  if (readText(`${folder}/ifindex`)?.trim() !== String(index)) return false;
  return lookAt(`${folder}/phy80211`) !== undefined || lookAt(`${folder}/wireless`) !== undefined;
}

/** Asking `nft` would load the module, and this only looks. */
function hasNftables(): boolean {
  const modules = readText('/proc/modules');
  if (modules === undefined || /^nf_tables /m.test(modules)) return true;
  const release = readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim();
  return readText(`/lib/modules/${release}/modules.builtin`)?.includes('/nf_tables.ko') ?? false;
}
