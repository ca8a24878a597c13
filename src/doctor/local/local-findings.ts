import type { Finding } from '../finding.ts';
import { bridgeNfCheck } from './bridge-nf.ts';
import type { Check, LocalView } from './check.ts';
import { clockCheck } from './clock.ts';
import { cniBinCheck, multicallCheck, relayCheck } from './cni-bin.ts';
import { cniConfCheck } from './cni-conf.ts';
import { daemonCheck } from './daemon.ts';
import { forwardCheck, guardCheck } from './firewall.ts';
import { goDaemonCheck } from './go-daemon.ts';
import { kernelCheck } from './kernel.ts';
import type { NodePlaces } from './places.ts';
import { podSideCheck } from './pod-side.ts';
import { policyRoutingCheck } from './policy-routing.ts';
import type { DaemonView, NodeFacts } from './ports.ts';
import { rpFilterCheck } from './rp-filter.ts';
import { serviceOverlapCheck } from './service-overlap.ts';
import { nestedCheck } from './nested.ts';
import { asGuess, eachOnce, networksIn } from '../../node/services/found.ts';
import { searchServiceNetworks } from '../../node/services/search.ts';
import { kubernetesApiCheck, serviceNetworkCheck } from './service-networks.ts';
import { fightCheck, hostProblemCheck, shimCheck } from './shim.ts';
import { uplinkKindCheck, uplinkOf } from './uplink.ts';

const CHECKS: readonly Check[] = [
  uplinkKindCheck,
  daemonCheck,
  cniConfCheck,
  cniBinCheck,
  multicallCheck,
  relayCheck,
  goDaemonCheck,
  shimCheck,
  guardCheck,
  hostProblemCheck,
  fightCheck,
  nestedCheck,
  podSideCheck,
  forwardCheck,
  bridgeNfCheck,
  rpFilterCheck,
  policyRoutingCheck,
  serviceNetworkCheck,
  kubernetesApiCheck,
  serviceOverlapCheck,
  kernelCheck,
  clockCheck,
];

export type LocalReport = {
  readonly findings: readonly Finding[];
  /** What was looked at, in words. */
  readonly subjects: readonly string[];
  /** The uplink's name; undefined when no interface has a default route. */
  readonly uplink: string | undefined;
};

/** What all checks share, read once. Rejects with SysError when the kernel does not answer. */
export async function viewNode(
  facts: NodeFacts,
  places: NodePlaces,
  daemon: DaemonView,
  uplink: string | undefined,
): Promise<LocalView> {
  const [links, addresses, routes, firewall, search] = await Promise.all([
    facts.links(),
    facts.addresses(),
    facts.routes(),
    facts.firewall(),
    searchServiceNetworks(facts, places),
  ]);
  const { services = [], sources = [] } = daemon.host ?? {};
  const told = [
    ...sources.flatMap(({ network, source, guessed }) =>
      networksIn(network, `the daemon: ${source}`).map((one) => (guessed ? asGuess(one) : one)),
    ),
    ...services.flatMap((text) => networksIn(text, 'the daemon')),
  ];
  return {
    facts,
    places,
    daemon,
    links,
    addresses,
    routes,
    firewall,
    uplink: uplinkOf(links, routes, uplink),
    // What a daemon goes by is what counts on this node, whatever else could be found.
    services: eachOnce(sources.length > 0 ? told : [...search.networks, ...told]),
    search,
  };
}

/** Everything that a node tells without a packet. A check that fails is a finding, and the others go on. */
export async function localFindings(view: LocalView): Promise<LocalReport> {
  const findings: Finding[] = [];
  for (const check of CHECKS) {
    try {
      findings.push(...(await check.look(view)));
    } catch (error) {
      findings.push({
        id: 'check-failed',
        severity: 'note',
        title: `this could not be looked at: ${check.subject}`,
        evidence: [error instanceof Error ? error.message : String(error)],
        remedy: ['run it as root, on the node itself'],
      });
    }
  }
  return {
    findings,
    subjects: CHECKS.map(({ subject }) => subject),
    uplink: view.uplink?.name,
  };
}
