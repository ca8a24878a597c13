import type { Namespace } from '../../../src/lab/namespace.ts';
import { waitFor } from '../../../src/lab/wait.ts';

/** The shim's name on a node where nobody else has it. */
export const SHIM = 'lh0';

const HOST_SIDE = `
ip -o -4 addr show dev ${SHIM} | sed 's/^[0-9]*: //'
ip -br link show dev ${SHIM}
ip -4 route show dev ${SHIM} proto 76
ip -4 neigh show dev ${SHIM} nud permanent | sort
nft list tables | sort
ip -4 rule show | grep 'proto 76'
cd /proc/sys/net/ipv4/conf/${SHIM} && cat forwarding rp_filter arp_filter send_redirects
cat /proc/sys/net/ipv4/conf/eth0/forwarding
`;

/** Everything that Leasehold has on a node, as text; what is missing is missing in it. */
export async function hostSide(node: Namespace): Promise<string> {
  return (await node.runToEnd(['sh', '-c', HOST_SIDE])).stdout;
}

const POD_SIDE = `
ip -o -4 addr show dev eth0
ip -4 route show
ip -4 neigh show nud permanent
nft list tables
`;

/** Everything that Leasehold has in a pod; lifetimes, which run, are left out. */
export async function podSide(pod: Namespace): Promise<string> {
  return (await pod.run(['sh', '-c', POD_SIDE])).replaceAll(/(valid_lft|preferred_lft) \S+/g, '');
}

const LOOK_EVERY_MS = 5;

/** Milliseconds until it is true. */
export async function timeUntil(
  what: string,
  condition: () => Promise<boolean>,
  describe?: () => Promise<string>,
): Promise<number> {
  const before = performance.now();
  await waitFor(what, condition, {
    everyMs: LOOK_EVERY_MS,
    ...(describe === undefined ? {} : { describe }),
  });
  return Math.round(performance.now() - before);
}
