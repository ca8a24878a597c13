import type { PluginServices } from '../context.ts';
import type { NetConf } from '../spec/conf.ts';
import { EMPTY_RESULT } from '../spec/result.ts';
import { DhcpIpam } from './dhcp-ipam.ts';
import { ExecIpam } from './exec-ipam.ts';
import type { Ipam } from './ipam.ts';

const NO_IPAM: Ipam = {
  asksTheLan: false,
  verify: () => undefined,
  add: () => Promise.resolve({ result: EMPTY_RESULT, mtu: undefined }),
  del: () => Promise.resolve(),
  check: () => Promise.resolve(),
  gc: () => Promise.resolve(),
  status: () => Promise.resolve(),
};

/** For a plugin that makes and removes the link itself. `dhcp` is answered here; any other type is run from CNI_PATH; no type is layer 2 only. */
export function ipamOf(services: PluginServices, conf: NetConf): Ipam {
  if (conf.ipamType === undefined) return NO_IPAM;
  return conf.ipamType === 'dhcp'
    ? new DhcpIpam(services, true)
    : new ExecIpam(services.runDelegate, conf.ipamType);
}
