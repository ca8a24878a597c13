import { formatCidr } from '../../base/cidr.ts';
import { isGuess } from '../../node/services/found.ts';
import type { ServiceSearch } from '../../node/services/search.ts';
import type { Finding } from '../finding.ts';
import type { Check, LocalView } from './check.ts';
import { cniFiles } from './cni-files.ts';

const CURES = [
  'state it: leasehold install --service-cidr CIDR, or "leasehold daemon --service-cidr CIDR" where you start it yourself',
  'the cluster says it: kubectl get servicecidr kubernetes (from 1.33 on), or --service-cluster-ip-range of kube-apiserver; k3s and RKE2: --service-cidr of the server',
];

export const serviceNetworkCheck: Check = {
  subject: "the cluster's service networks",
  look: (view) => {
    const { kubelet, failed, networks } = view.search;
    // A daemon in a cluster may know what a shell on the node does not: its word counts where it has one.
    const { sources = [] } = view.daemon.host ?? {};
    if ((kubelet === undefined && sources.length === 0) || isStated(view)) return [];
    if (view.services.length === 0) return unknownServiceNetwork(view.search);
    const found = networks.map((one) => ({
      ...one,
      network: formatCidr(one.network),
      guessed: isGuess(one),
    }));
    const guesses = (sources.length > 0 ? sources : found).filter(({ guessed }) => guessed);
    if (guesses.length === 0) return [];
    return [
      {
        id: 'service-network-guessed',
        severity: 'warning',
        title: `the service network ${guesses.map(({ network }) => network).join(', ')} is a guess: services outside of it are not reached`,
        evidence: [
          ...(kubelet === undefined ? [] : [`seen: ${kubelet}`]),
          ...guesses.map(({ source }) => source),
          ...failed,
        ],
        remedy: CURES,
      },
    ] satisfies Finding[];
  },
};

export const kubernetesApiCheck: Check = {
  subject: 'whether the daemon can ask the Kubernetes API',
  look: ({ daemon, services }) => {
    const { kubernetesProblem: problem } = daemon.host ?? {};
    if (problem === undefined) return [];
    return [
      {
        id: 'kubernetes-api',
        severity: 'warning',
        title: `the daemon cannot ask the Kubernetes API for the service networks: ${problem}`,
        evidence: services.map(({ network, source }) => `in use: ${formatCidr(network)} (${source})`),
        remedy: [
          'the daemon tries again by itself, and what it knew stays in use',
          'its service account needs the role of docs/kubernetes.md; a file of --kubeconfig must name server, authority and who asks',
        ],
      },
    ] satisfies Finding[];
  },
};

/** What is wrong where nobody knows the service network of a cluster's node; nothing on other machines. */
export function unknownServiceNetwork({ kubelet, failed }: ServiceSearch): readonly Finding[] {
  if (kubelet === undefined) return [];
  return [
    {
      id: 'service-network-unknown',
      severity: 'error',
      title:
        'this is a node of a cluster, and its service network is not known: pods reach no service, and what they send there goes out to the LAN',
      evidence: [`seen: ${kubelet}`, ...failed],
      remedy: CURES,
    },
  ];
}

/** A network configuration of Leasehold names them, or says that there shall be none. */
function isStated({ facts, places }: LocalView): boolean {
  return cniFiles(facts, places.cniConf).some(({ plugins }) =>
    plugins.some((plugin) => plugin['type'] === 'leasehold' && !isAuto(plugin['services'])),
  );
}

function isAuto(services: unknown): boolean {
  return services === undefined || services === null || services === 'auto';
}
