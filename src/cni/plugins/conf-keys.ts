import { OVERRIDE_KEYS } from '../route-override/config.ts';
import { COMMON_KEYS, CONTAINER_KEYS } from '../spec/conf.ts';
import { type KeyTree, leaves } from '../spec/key-case.ts';
import { DHCP_IPAM_KEYS } from './dhcp-conf.ts';
import { MACVLAN_KEYS } from './macvlan-conf.ts';

const DHCP: KeyTree = {
  ...COMMON_KEYS,
  ipam: DHCP_IPAM_KEYS,
  args: { cni: CONTAINER_KEYS },
  runtimeConfig: CONTAINER_KEYS,
};

/**
 * The keys of the plugins that are written in Go elsewhere, where the case of letters does not count. Not of `leasehold`,
 * which refuses what is not spelled as it should be.
 */
export const CONF_KEYS: ReadonlyMap<string, KeyTree> = new Map([
  ['dhcp', DHCP],
  ['macvlan', { ...DHCP, ...leaves(MACVLAN_KEYS) }],
  ['route-override', { ...COMMON_KEYS, ...OVERRIDE_KEYS, args: { cni: OVERRIDE_KEYS } }],
]);
