import type { Namespace } from '../../../src/lab/namespace.ts';

/** The name of the interface that people make for their node, to reach pods on macvlan. */
export const SHIM_BY_HAND = 'mac0';

/** What a person puts into a script today so that the node reaches its pods. */
export async function shimByHand(node: Namespace, address: string, pods: readonly string[]): Promise<void> {
  await node.ip('link', 'add', SHIM_BY_HAND, 'link', 'eth0', 'type', 'macvlan', 'mode', 'bridge');
  await node.ip('link', 'set', SHIM_BY_HAND, 'up');
  await node.ip('addr', 'add', `${address}/32`, 'dev', SHIM_BY_HAND);
  for (const pod of pods) await node.ip('route', 'add', `${pod}/32`, 'dev', SHIM_BY_HAND, 'src', address);
  await node.run(['sh', '-c', 'echo 1 >/proc/sys/net/ipv4/ip_forward']);
}

export async function removeShimByHand(node: Namespace): Promise<void> {
  await node.ip('link', 'del', SHIM_BY_HAND);
}
