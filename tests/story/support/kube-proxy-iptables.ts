import {
  chainSuffix,
  localEndpoints,
  MASQUERADE_MARK,
  type Endpoint,
  type KubeProxyRules,
  type KubeService,
} from './kube-proxy.ts';

const BUILT_IN = ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'];

type Rule = { readonly chain: string; readonly rule: string };

function rule(chain: string, text: string): Rule {
  return { chain, rule: text };
}

function endpointChain(service: KubeService, endpoint: Endpoint): string {
  return `KUBE-SEP-${chainSuffix(service)}${service.endpoints.indexOf(endpoint)}`;
}

/** Each of the endpoints is as likely as the others: the n-th of those that are left takes 1/n. */
function balance(chain: string, service: KubeService, endpoints: readonly Endpoint[]): readonly Rule[] {
  return endpoints.map((endpoint, at) => {
    const left = endpoints.length - at;
    const odds = left === 1 ? '' : `-m statistic --mode random --probability ${(1 / left).toFixed(5)} `;
    return rule(chain, `${odds}-j ${endpointChain(service, endpoint)}`);
  });
}

function endpointRules(service: KubeService): readonly Rule[] {
  const protocol = service.protocol ?? 'tcp';
  return service.endpoints.flatMap((endpoint) => {
    const chain = endpointChain(service, endpoint);
    const to = `${endpoint.address}:${endpoint.port}`;
    return [
      // A pod that reaches itself through its service.
      rule(chain, `-s ${endpoint.address}/32 -j KUBE-MARK-MASQ`),
      rule(chain, `-p ${protocol} -m ${protocol} -j DNAT --to-destination ${to}`),
    ];
  });
}

/** What comes to a node's port: with policy Local only to pods of this node, and from where it came. */
function externalRules(service: KubeService, clusterCidr: string | undefined): readonly Rule[] {
  const [svc, svl, ext] = ['SVC', 'SVL', 'EXT'].map((kind) => `KUBE-${kind}-${chainSuffix(service)}`);
  if (svc === undefined || svl === undefined || ext === undefined) return [];
  if (service.policy !== 'Local') return [rule(ext, '-j KUBE-MARK-MASQ'), rule(ext, `-j ${svc}`)];
  return [
    ...(clusterCidr === undefined ? [] : [rule(ext, `-s ${clusterCidr} -j ${svc}`)]),
    rule(ext, '-m addrtype --src-type LOCAL -j KUBE-MARK-MASQ'),
    rule(ext, `-m addrtype --src-type LOCAL -j ${svc}`),
    rule(ext, `-j ${svl}`),
    ...balance(svl, service, localEndpoints(service)),
  ];
}

/** None for a service without endpoints: that is refused in the table "filter". */
function serviceRules(service: KubeService, clusterCidr: string | undefined): readonly Rule[] {
  if (service.endpoints.length === 0) return [];
  const protocol = service.protocol ?? 'tcp';
  const svc = `KUBE-SVC-${chainSuffix(service)}`;
  const to = `-d ${service.address}/32 -p ${protocol} -m ${protocol} --dport ${service.port}`;
  const { nodePort } = service;
  const masquerade =
    clusterCidr === undefined ? [] : [rule(svc, `! -s ${clusterCidr} ${to} -j KUBE-MARK-MASQ`)];
  const port = `-p ${protocol} -m ${protocol} --dport ${nodePort} -j KUBE-EXT-${chainSuffix(service)}`;
  return [
    rule('KUBE-SERVICES', `-m comment --comment "default/${service.name} cluster IP" ${to} -j ${svc}`),
    ...masquerade,
    ...balance(svc, service, service.endpoints),
    ...endpointRules(service),
    ...(nodePort === undefined ? [] : [rule('KUBE-NODEPORTS', port), ...externalRules(service, clusterCidr)]),
  ];
}

function table(name: string, builtIn: readonly string[], rules: readonly Rule[]): string {
  // One that is jumped to may have no rule of its own.
  const named = rules.flatMap(({ chain, rule: text }) => [
    chain,
    ...text.matchAll(/-j (KUBE-\S+)/g).map(([, target = '']) => target),
  ]);
  const own = [...new Set(named)].filter((chain) => !builtIn.includes(chain));
  return [
    `*${name}`,
    ...builtIn.map((chain) => `:${chain} ACCEPT [0:0]`),
    ...own.map((chain) => `:${chain} - [0:0]`),
    ...rules.map(({ chain, rule: text }) => `-A ${chain} ${text}`),
    'COMMIT\n',
  ].join('\n');
}

/** Rules of the shape that kube-proxy writes in its iptables mode, for iptables-restore: the whole of both tables. */
export function iptablesRules({ services, clusterCidr }: KubeProxyRules): string {
  const mark = `${MASQUERADE_MARK}/${MASQUERADE_MARK}`;
  const portals = '-m comment --comment "kubernetes service portals" -j KUBE-SERVICES';
  const nat = [
    rule('PREROUTING', portals),
    rule('OUTPUT', portals),
    rule('POSTROUTING', '-m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING'),
    rule('KUBE-MARK-MASQ', `-j MARK --or-mark ${MASQUERADE_MARK}`),
    rule('KUBE-POSTROUTING', `-m mark ! --mark ${mark} -j RETURN`),
    rule('KUBE-POSTROUTING', `-j MARK --xor-mark ${MASQUERADE_MARK}`),
    rule('KUBE-POSTROUTING', '-j MASQUERADE --random-fully'),
    ...services.flatMap((service) => serviceRules(service, clusterCidr)),
    // The last of its chain: node ports are for whatever was no service.
    rule('KUBE-SERVICES', '-m addrtype --dst-type LOCAL -j KUBE-NODEPORTS'),
  ];
  const withPorts = nat.some(({ chain }) => chain === 'KUBE-NODEPORTS') ? nat : nat.slice(0, -1);
  const unserved = services.filter(({ endpoints }) => endpoints.length === 0);
  const filter = [
    rule('FORWARD', '-m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD'),
    rule('KUBE-FORWARD', '-m conntrack --ctstate INVALID -j DROP'),
    rule('KUBE-FORWARD', `-m mark --mark ${mark} -j ACCEPT`),
    rule('KUBE-FORWARD', '-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT'),
    ...unserved.flatMap(({ address, port, protocol = 'tcp' }) =>
      ['FORWARD', 'OUTPUT'].map((chain) =>
        rule(chain, `-d ${address}/32 -p ${protocol} -m ${protocol} --dport ${port} -j REJECT`),
      ),
    ),
  ];
  return table('nat', BUILT_IN, withPorts) + table('filter', ['INPUT', 'FORWARD', 'OUTPUT'], filter);
}
