import {
  chainSuffix,
  localEndpoints,
  MASQUERADE_MARK,
  type Endpoint,
  type KubeProxyRules,
  type KubeService,
} from './kube-proxy.ts';

function chain(name: string, rules: readonly string[]): string {
  return [`  chain ${name} {`, ...rules.map((rule) => `    ${rule}`), '  }'].join('\n');
}

function map(name: string, type: string, elements: readonly string[]): string {
  const content = elements.length === 0 ? '' : ` elements = { ${elements.join(', ')} }`;
  return `  map ${name} { type ${type};${content} }`;
}

function endpointChain(service: KubeService, endpoint: Endpoint): string {
  return `endpoint-${chainSuffix(service)}-${service.endpoints.indexOf(endpoint)}`;
}

/** Each of the endpoints is as likely as the others. */
function balance(service: KubeService, endpoints: readonly Endpoint[]): readonly string[] {
  if (endpoints.length === 0) return ['drop'];
  const verdicts = endpoints.map((endpoint, at) => `${at} : goto ${endpointChain(service, endpoint)}`);
  return [`numgen random mod ${endpoints.length} vmap { ${verdicts.join(', ')} }`];
}

/** Of a map of services. */
function keyOf({ address, protocol = 'tcp', port }: KubeService): string {
  return `${address} . ${protocol} . ${port}`;
}

/** What comes to a node's port: with policy Local only to pods of this node, and from where it came. */
function externalRules(service: KubeService, clusterCidr: string | undefined): readonly string[] {
  const cluster = `service-${chainSuffix(service)}`;
  if (service.policy !== 'Local') return ['jump mark-for-masquerade', `goto ${cluster}`];
  return [
    ...(clusterCidr === undefined ? [] : [`ip saddr ${clusterCidr} goto ${cluster}`]),
    'fib saddr type local jump mark-for-masquerade',
    `fib saddr type local goto ${cluster}`,
    ...balance(service, localEndpoints(service)),
  ];
}

function serviceChains(service: KubeService, clusterCidr: string | undefined): readonly string[] {
  const protocol = service.protocol ?? 'tcp';
  const { address, port } = service;
  const masquerade = `ip daddr ${address} ${protocol} dport ${port} ip saddr != ${clusterCidr} jump mark-for-masquerade`;
  return [
    ...service.endpoints.map((endpoint) =>
      chain(endpointChain(service, endpoint), [
        // A pod that reaches itself through its service.
        `ip saddr ${endpoint.address} jump mark-for-masquerade`,
        `meta l4proto ${protocol} dnat to ${endpoint.address}:${endpoint.port}`,
      ]),
    ),
    chain(`service-${chainSuffix(service)}`, [
      ...(clusterCidr === undefined ? [] : [masquerade]),
      ...balance(service, service.endpoints),
    ]),
    ...(service.nodePort === undefined
      ? []
      : [chain(`external-${chainSuffix(service)}`, externalRules(service, clusterCidr))]),
  ];
}

/** Rules of the shape that kube-proxy writes in its nftables mode, for nft -f: its whole table. */
export function nftablesRules({ services, clusterCidr }: KubeProxyRules): string {
  const served = services.filter(({ endpoints }) => endpoints.length > 0);
  const unserved = services.filter(({ endpoints }) => endpoints.length === 0);
  const serviceIps = served.map((service) => `${keyOf(service)} : goto service-${chainSuffix(service)}`);
  const noEndpoints = unserved.map((service) => `${keyOf(service)} : goto reject-chain`);
  const nodePorts = services.flatMap((service) =>
    service.nodePort === undefined
      ? []
      : [`${service.protocol ?? 'tcp'} . ${service.nodePort} : goto external-${chainSuffix(service)}`],
  );
  const clusterIps = [...new Set(services.map(({ address }) => address))].join(', ');
  return [
    'table ip kube-proxy {}',
    'delete table ip kube-proxy',
    'table ip kube-proxy {',
    `  set cluster-ips { type ipv4_addr;${clusterIps === '' ? '' : ` elements = { ${clusterIps} }`} }`,
    chain('mark-for-masquerade', [`meta mark set meta mark | ${MASQUERADE_MARK}`]),
    chain('masquerading', [
      `meta mark & ${MASQUERADE_MARK} == 0 return`,
      `meta mark set meta mark ^ ${MASQUERADE_MARK}`,
      'masquerade fully-random',
    ]),
    ...services.flatMap((service) => serviceChains(service, clusterCidr)),
    map('service-ips', 'ipv4_addr . inet_proto . inet_service : verdict', serviceIps),
    map('service-nodeports', 'inet_proto . inet_service : verdict', nodePorts),
    chain('services', [
      'ip daddr . meta l4proto . th dport vmap @service-ips',
      'fib daddr type local meta l4proto . th dport vmap @service-nodeports',
    ]),
    chain('reject-chain', ['reject']),
    map('no-endpoint-services', 'ipv4_addr . inet_proto . inet_service : verdict', noEndpoints),
    chain('service-endpoints-check', ['ip daddr . meta l4proto . th dport vmap @no-endpoint-services']),
    // What was for a service and for none of its ports.
    chain('cluster-ips-check', ['ip daddr @cluster-ips reject']),
    chain('filter-forward', [
      'type filter hook forward priority -110; policy accept;',
      'ct state new jump service-endpoints-check',
      'ct state new jump cluster-ips-check',
    ]),
    chain('filter-output', [
      'type filter hook output priority -90; policy accept;',
      'ct state new jump service-endpoints-check',
      'ct state new jump cluster-ips-check',
    ]),
    chain('nat-prerouting', ['type nat hook prerouting priority -100; policy accept;', 'jump services']),
    chain('nat-output', ['type nat hook output priority -100; policy accept;', 'jump services']),
    chain('nat-postrouting', ['type nat hook postrouting priority 100; policy accept;', 'jump masquerading']),
    '}\n',
  ].join('\n');
}
