import type { Ipv4 } from '../../../src/base/ipv4.ts';
import { cidr } from '../../../src/base/cidr.ts';
import type { HomeLan } from '../../../src/lab/home-lan.ts';
import type { Host } from '../../../src/lab/host.ts';

/** A machine of the LAN that took an address by hand, also one that the server gives to others. */
export async function addSquatter(lan: HomeLan, address: Ipv4, name = 'squatter'): Promise<Host> {
  return await lan.addHost(name, { address: cidr(`${address}/${lan.routerAddress.prefix}`) });
}
