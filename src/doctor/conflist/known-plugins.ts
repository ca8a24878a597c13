import { DHCP_KEYS } from '../../cni/dhcp/keys.ts';
import { LEASEHOLD_KEYS } from '../../cni/leasehold/shape.ts';

/** `main` makes an interface, `meta` changes one that another plugin made. */
export type KnownPlugin = { readonly role: 'main' | 'meta'; readonly keys: readonly string[] };

/** Of every plugin's configuration (CNI specification 1.1, section 1). */
export const COMMON_KEYS: readonly string[] = [
  'cniVersion',
  'cniVersions',
  'name',
  'type',
  'ipam',
  'dns',
  'args',
  'capabilities',
  'runtimeConfig',
  'prevResult',
];

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

/** The keys of "ipam", by its type. */
export const IPAM_KEYS: ReadonlyMap<string, readonly string[]> = new Map([
  ['dhcp', ['type', 'daemonSocketPath', 'provide', 'request', 'priority', ...DHCP_KEYS]],
  [
    'host-local',
    ['type', 'ranges', 'routes', 'resolvConf', 'dataDir', 'subnet', 'rangeStart', 'rangeEnd', 'gateway'],
  ],
  ['static', ['type', 'addresses', 'routes', 'dns']],
]);
