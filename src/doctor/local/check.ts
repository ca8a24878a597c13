import type { ServiceSearch } from '../../node/services/search.ts';
import type { FoundServiceNetwork } from '../../node/services/found.ts';
import { shimAlias } from '../../node/host/shim.ts';
import type { Finding } from '../finding.ts';
import type { DaemonView, Firewall, NodeAddress, NodeFacts, NodeLink, NodeRoute } from './ports.ts';
import type { NodePlaces } from './places.ts';

/** What every check may use: read once. */
export type LocalView = {
  readonly facts: NodeFacts;
  readonly places: NodePlaces;
  readonly links: readonly NodeLink[];
  readonly addresses: readonly NodeAddress[];
  readonly routes: readonly NodeRoute[];
  readonly firewall: Firewall;
  /** Undefined where there is none; other findings say so. */
  readonly uplink: NodeLink | undefined;
  /** Those of the cluster, as far as this node tells or the daemon was told. */
  readonly services: readonly FoundServiceNetwork[];
  /** How they were searched. */
  readonly search: ServiceSearch;
  readonly daemon: DaemonView;
};

export type Check = {
  /** What is looked at, for a person: "rp_filter of eth0 and the shims". */
  readonly subject: string;
  readonly look: (view: LocalView) => Promise<readonly Finding[]> | readonly Finding[];
};

/** What the alias of every shim begins with. */
const SHIM_OF = shimAlias('');

/** The interfaces that Leasehold made, by what it writes on them. */
export function shimsOf(view: LocalView): readonly NodeLink[] {
  return view.links.filter(({ alias }) => alias?.startsWith(SHIM_OF) === true);
}

export function linkName(view: LocalView, index: number | undefined): string {
  return view.links.find((link) => link.index === index)?.name ?? 'an interface that is gone';
}
