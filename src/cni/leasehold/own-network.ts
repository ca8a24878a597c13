import { formatCidr, networkOf } from '../../base/cidr.ts';
import { isIpv4 } from '../../base/ip.ts';
import { overlaps } from '../../node/host/node-lan.ts';
import { CniError } from '../spec/errors.ts';
import type { CniResult } from '../spec/result.ts';
import type { LeaseholdConf } from './conf.ts';

/** Throws CniError 7 when the pod would reach its own LAN as a service: everything there would be out of its reach. */
export function refuseOwnNetwork(services: LeaseholdConf['services'], { ips }: CniResult): void {
  if (typeof services === 'string') return;
  for (const { address } of ips) {
    if (!isIpv4(address.address)) continue;
    const own = networkOf({ address: address.address, prefix: address.prefix });
    const network = services.find((one) => overlaps(one, own));
    if (network === undefined) continue;
    throw new CniError(
      'invalid-config',
      `services: ${formatCidr(network)} overlaps ${formatCidr(own)}, the pod's own network`,
    );
  }
}
