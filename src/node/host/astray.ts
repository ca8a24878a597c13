import type { Ipv4 } from '../../base/ipv4.ts';
import type { HostKernel, HostNeighbour } from './ports.ts';

/**
 * Without its route the node looked for a pod on the uplink, where nobody answers. What waits there for ARP would wait
 * for its end, three seconds, and TCP sends nothing anew that has not left the host. A permanent neighbour is an
 * administrator's, and stays. Rejects with SysError.
 */
export async function forgetAstray(
  kernel: HostKernel,
  uplink: number | undefined,
  addresses: readonly Ipv4[],
): Promise<void> {
  const [address] = addresses;
  if (uplink === undefined || address === undefined) return;
  const found =
    addresses.length === 1 ? [await kernel.neighbour(uplink, address)] : await kernel.neighbours(uplink);
  const astray = found
    .filter((one): one is HostNeighbour => one !== undefined && !one.permanent)
    .filter((one) => addresses.includes(one.address));
  await kernel.apply(
    astray.map((one) => ({ kind: 'remove-neighbour', index: uplink, address: one.address })),
  );
}
