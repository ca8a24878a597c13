import type { HostKernel } from './ports.ts';
import type { UplinkRecord } from './record.ts';

const OFF = '0';

/** Whether what came in by this uplink was passed on to nobody before us. */
export function routedNothing({ sysctls }: Pick<UplinkRecord, 'sysctls'>): boolean {
  return sysctls.saved.some(({ key, value }) => key === 'forwarding' && value === OFF);
}

type Side = { readonly name: string; readonly shimName: string; readonly routedNothing: boolean };

/**
 * The interfaces by which the node routes only because of us. Where the administrator, Docker or a cluster has switched
 * routing on for the whole node (ip_forward), that is how the node shall be.
 */
export function confinedOf(
  kernel: Pick<HostKernel, 'readSysctl'>,
  sides: readonly Side[],
): readonly string[] {
  const all = kernel.readSysctl({ family: 'ipv4', ifname: 'all', key: 'forwarding' });
  if (all !== OFF) return [];
  return sides
    .filter((side) => side.routedNothing)
    .flatMap(({ name, shimName }) => [name, shimName])
    .toSorted();
}
