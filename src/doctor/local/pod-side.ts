import type { Check } from './check.ts';

/** Pods that are named; the others are counted. */
const MOST_NAMED = 10;
/** As runtimes shorten a container's id. */
const ID_SHOWN = 13;

/** What somebody changed inside of pods: their way to the services, and how they answer. */
export const podSideCheck: Check = {
  subject: 'routes, neighbours and last hop of the pods',
  look: ({ daemon }) => {
    const { looked, pods } = daemon.pods ?? { looked: 0, pods: [] };
    if (pods.length === 0) return [];
    const more = pods.length - MOST_NAMED;
    return [
      {
        id: 'pod-side',
        severity: 'warning',
        title: `${pods.length} of ${looked} pods lack what they need to reach services, to answer by the way they were asked, or to be reached by this node`,
        evidence: [
          ...pods
            .slice(0, MOST_NAMED)
            .map(
              ({ containerId, network, ifname, problems }) =>
                `${ifname} of ${containerId.slice(0, ID_SHOWN)} in ${network}: ${problems.join('; ')}`,
            ),
          ...(more > 0 ? [`and ${more} more: GET /v1/host/pods at ${daemon.socket}`] : []),
        ],
        remedy: [
          'systemctl reload leasehold: the daemon puts it back in every pod',
          'or start the pod anew; if it comes again, look for a program in the pod that changes its routes or nftables',
        ],
      },
    ];
  },
};
