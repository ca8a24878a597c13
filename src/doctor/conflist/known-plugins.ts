import { LEASEHOLD_KEYS } from '../../cni/leasehold/shape.ts';
import { CONF_KEYS } from '../../cni/plugins/conf-keys.ts';
import { DHCP_IPAM_KEYS } from '../../cni/plugins/dhcp-conf.ts';
import { COMMON_KEYS as SPEC_KEYS } from '../../cni/spec/conf.ts';
import { type KeyTree, leaves } from '../../cni/spec/key-case.ts';
import { DNS_KEYS } from '../../cni/spec/result.ts';

/** `main` makes an interface, `meta` changes one that another plugin made. */
export type KnownPlugin = { readonly role: 'main' | 'meta'; readonly keys: readonly string[] };

/** Of every plugin's configuration (CNI specification 1.1, section 1). */
export const COMMON_KEYS: readonly string[] = Object.keys(SPEC_KEYS);

/** Of the list itself; the last three came with libcni 1.1 and later. */
export const LIST_KEYS: readonly string[] = [
  'cniVersion',
  'cniVersions',
  'name',
  'plugins',
  'disableCheck',
  'disableGC',
  'loadOnlyInlinedPlugins',
];

/** The keys that the plugins of containernetworking 1.9 and their companions read. */
export const PLUGINS: ReadonlyMap<string, KnownPlugin> = new Map(
  Object.entries({
    leasehold: { role: 'main', keys: LEASEHOLD_KEYS },
    macvlan: { role: 'main', keys: ['master', 'mode', 'mtu', 'mac', 'linkInContainer', 'bcqueuelen'] },
    ipvlan: { role: 'main', keys: ['master', 'mode', 'mtu', 'linkInContainer'] },
    bridge: {
      role: 'main',
      keys: [
        'bridge',
        'isGateway',
        'isDefaultGateway',
        'forceAddress',
        'ipMasq',
        'ipMasqBackend',
        'mtu',
        'hairpinMode',
        'promiscMode',
        'vlan',
        'vlanTrunk',
        'preserveDefaultVlan',
        'macspoofchk',
        'enabledad',
        'disableContainerInterface',
        'portIsolation',
        'mac',
      ],
    },
    ptp: { role: 'main', keys: ['ipMasq', 'ipMasqBackend', 'mtu'] },
    vlan: { role: 'main', keys: ['master', 'vlanId', 'mtu', 'linkInContainer'] },
    'host-device': { role: 'main', keys: ['device', 'hwaddr', 'kernelpath', 'pciBusID'] },
    dummy: { role: 'main', keys: [] },
    loopback: { role: 'main', keys: [] },
    'route-override': {
      role: 'meta',
      keys: [
        'flushroutes',
        'flushgateway',
        'delroutes',
        'addroutes',
        'skipcheck',
        'delecmproutes',
        'addecmproutes',
      ],
    },
    portmap: {
      role: 'meta',
      keys: [
        'snat',
        'masqAll',
        'markMasqBit',
        'externalSetMarkChain',
        'conditionsV4',
        'conditionsV6',
        'backend',
      ],
    },
    bandwidth: {
      role: 'meta',
      keys: ['ingressRate', 'ingressBurst', 'egressRate', 'egressBurst', 'shapedSubnets', 'unshapedSubnets'],
    },
    firewall: { role: 'meta', keys: ['backend', 'iptablesAdminChainName', 'firewalldZone', 'ingressPolicy'] },
    tuning: {
      role: 'meta',
      keys: ['sysctl', 'mac', 'mtu', 'promisc', 'allmulti', 'txQLen', 'dataDir'],
    },
    sbr: { role: 'meta', keys: ['table', 'gateways', 'addSourceHints'] },
    vrf: { role: 'meta', keys: ['vrfname', 'table'] },
  } satisfies Record<string, KnownPlugin>),
);

const RANGE = ['subnet', 'rangeStart', 'rangeEnd', 'gateway'];
const ROUTES = leaves(['dst', 'gw']);

const HOST_LOCAL: KeyTree = {
  ...leaves(['type', 'resolvConf', 'dataDir', ...RANGE]),
  ranges: leaves(RANGE),
  routes: ROUTES,
};

const STATIC: KeyTree = {
  type: true,
  addresses: leaves(['address', 'gateway']),
  routes: ROUTES,
  dns: DNS_KEYS,
};

/** The keys of "ipam", by its type. */
export const IPAM_KEYS: ReadonlyMap<string, readonly string[]> = new Map([
  ['dhcp', Object.keys(DHCP_IPAM_KEYS)],
  ['host-local', Object.keys(HOST_LOCAL)],
  ['static', Object.keys(STATIC)],
]);

const IPAM_TREES: ReadonlyMap<string, KeyTree> = new Map([
  ['dhcp', DHCP_IPAM_KEYS],
  ['host-local', HOST_LOCAL],
  ['static', STATIC],
]);

/**
 * The keys in which the case of letters does not count, because a program written in Go reads them, or one of ours that
 * takes its place. Undefined for `leasehold`, which refuses them, and for what is not known here.
 */
export function foldedKeysOf(type: string, ipamType: string | undefined): KeyTree | undefined {
  const known = type === 'leasehold' ? undefined : PLUGINS.get(type);
  if (known === undefined) return undefined;
  const own = CONF_KEYS.get(type) ?? { ...SPEC_KEYS, ...leaves(known.keys) };
  return { ...own, ipam: IPAM_TREES.get(ipamType ?? '') ?? { type: true } };
}
