import { cidrContains, formatCidr, networkOf } from '../../base/cidr.ts';
import { isIpv4 } from '../../base/ip.ts';
import { type Ipv4, ipv4FromNumber, ipv4ToNumber } from '../../base/ipv4.ts';
import { HOST_PREFIX } from '../../node/host/plan.ts';
import { RTPROT_LEASEHOLD } from '../../node/host/ports.ts';
import type { Finding } from '../finding.ts';
import { linkName, shimsOf, type Check, type LocalView } from './check.ts';
import type { NodeLink, PolicyRule, RouteFound, RouteQuestion } from './ports.ts';
import { ownerOf, ownerText, ruleText } from './rule-owner.ts';

/** linux/rtnetlink.h (RT_TABLE_MAIN, RT_TABLE_LOCAL): what we set, and what the kernel does. */
const OWN_TABLES: ReadonlySet<number> = new Set([254, 255]);
/** A rule that takes one pod takes all of a network. */
const MOST_PODS = 16;
/** Of a network, in search of one that is nobody's we know. */
const HOSTS_TRIED = 64;

/** Where a packet should leave, and what it is for a person. */
type Expected = {
  readonly what: string;
  readonly question: RouteQuestion;
  /** The name of the link that it comes in by; absent: the node itself sends it. */
  readonly iif?: string;
  readonly by: NodeLink;
};

type Astray = Expected & { readonly found: RouteFound };

/** Rules of other programs that come before the main table, and take from it what is the node's, the LAN's or a pod's. */
export const policyRoutingCheck: Check = {
  subject: 'whether policy rules of other programs (ip rule) lead pods or the LAN elsewhere',
  look: async (view) => {
    const expected = expectations(view);
    if (expected.length === 0) return [];
    const rules = (await view.facts.policyRules()).filter(({ protocol }) => protocol !== RTPROT_LEASEHOLD);
    const astray: Astray[] = [];
    for (const one of expected) {
      const found = await view.facts.routeOf(one.question);
      if (isAstray(one, found, rules)) astray.push({ ...one, found });
    }
    const byRule = Map.groupBy(astray, (one) => culprit(rules, one));
    return [...byRule].map(([rule, of]) => finding(view, rule, of));
  },
};

/** What main and local say is for other findings: only a rule makes the kernel ask another table, or refuse. */
function isAstray(one: Expected, found: RouteFound, rules: readonly PolicyRule[]): boolean {
  if (found.kind === 'route') return !OWN_TABLES.has(found.table) && found.route.index !== one.by.index;
  return rules.some((rule) => isRefusal(rule) && fits(rule, one));
}

function isRefusal({ does }: PolicyRule): boolean {
  return does === 'blackhole' || does === 'unreachable' || does === 'prohibit';
}

/** The first that leads this packet where it was found. Undefined: by what this does not look at. */
function culprit(rules: readonly PolicyRule[], one: Astray): PolicyRule | undefined {
  const { found } = one;
  return rules.find((rule) => {
    const leads =
      found.kind === 'none'
        ? isRefusal(rule)
        : typeof rule.does === 'object' && rule.does.table === found.table;
    return leads && fits(rule, one);
  });
}

/** What the node itself sends comes in by lo (fib_rule_match). */
const OWN_IIF = 'lo';

/** Of a packet without a mark, from no particular user and of no particular protocol. */
function fits(rule: PolicyRule, { question: { to, from }, iif = OWN_IIF }: Expected): boolean {
  if (rule.further === true) return false;
  const isSelected =
    (rule.to === undefined || cidrContains(rule.to, to)) &&
    (rule.from === undefined || (from !== undefined && cidrContains(rule.from, from))) &&
    (rule.iif === undefined || rule.iif === iif) &&
    (rule.mark === undefined || rule.mark.value === 0) &&
    rule.oif === undefined;
  return isSelected !== (rule.inverted === true);
}

/** What has to be so for pods, node and LAN to reach each other. */
function expectations(view: LocalView): readonly Expected[] {
  const { uplink, addresses, routes } = view;
  const own = addresses.flatMap(({ index, cidr: { address, prefix } }) =>
    index === uplink?.index && prefix < HOST_PREFIX && isIpv4(address) ? [{ address, prefix }] : [],
  );
  const [first] = own;
  if (uplink === undefined || first === undefined) return [];
  const from = first.address;
  const pods = podsOf(view);
  const routers = routes.flatMap(({ dst, index, gateway }) =>
    dst.prefix === 0 && index === uplink.index && gateway !== undefined && isIpv4(gateway) ? [gateway] : [],
  );
  const known = new Set<Ipv4>([
    ...routers,
    ...pods.map(({ to }) => to),
    ...own.map(({ address }) => address),
  ]);
  const hosts = own.flatMap((network) => someHost(network, known) ?? []);
  // Both what the node begins, and what it answers: that has its source already.
  const bothWays = (what: string, to: Ipv4, by: NodeLink): readonly Expected[] => [
    { what, question: { to }, by },
    { what, question: { to, from }, by },
  ];
  return [
    ...pods.flatMap(({ to, by }) => bothWays(`pod ${to}`, to, by)),
    ...routers.flatMap((to) => bothWays(`router ${to}`, to, uplink)),
    ...hosts.flatMap((to) => bothWays(`hosts of the LAN, as ${to}`, to, uplink)),
    // By a service: one pod stands for all.
    ...pods.slice(0, 1).flatMap(({ to: pod, by: { index, name } }) =>
      hosts.map((to) => ({
        what: `hosts of the LAN, as ${to}, for pods`,
        question: { to, from: pod, index },
        iif: name,
        by: uplink,
      })),
    ),
  ];
}

/** The pods that the node leads to by a shim. */
function podsOf(view: LocalView): readonly { readonly to: Ipv4; readonly by: NodeLink }[] {
  const shims = shimsOf(view);
  return view.routes
    .flatMap(({ dst, index, protocol }) => {
      const by = shims.find((shim) => shim.index === index);
      const { address: to, prefix } = dst;
      const isPod = protocol === RTPROT_LEASEHOLD && prefix === HOST_PREFIX;
      return by !== undefined && isPod && isIpv4(to) ? [{ to, by }] : [];
    })
    .slice(0, MOST_PODS);
}

/** An address of a network that is not among the known ones. Nothing is sent to it. */
function someHost(
  network: { readonly address: Ipv4; readonly prefix: number },
  known: ReadonlySet<Ipv4>,
): Ipv4 | undefined {
  const first = ipv4ToNumber(networkOf(network).address) + 1;
  const last = first + 2 ** (HOST_PREFIX - network.prefix) - 3;
  for (let host = last; host >= Math.max(first, last - HOSTS_TRIED); host--) {
    const address = ipv4FromNumber(host);
    if (!known.has(address)) return address;
  }
  return undefined;
}

function finding(view: LocalView, rule: PolicyRule | undefined, astray: readonly Astray[]): Finding {
  const whose = rule === undefined ? 'another program' : ownerText(rule);
  const named = [...new Set(astray.map(({ what }) => what))];
  const networks = [...new Set(astray.map((one) => networkText(view, one)))];
  return {
    id: 'policy-rule',
    severity: 'error',
    title: `a policy rule of ${whose} leads away what this node sends to ${named.slice(0, 3).join(', ')}${named.length > 3 ? ` and ${named.length - 3} more` : ''}`,
    evidence: [
      rule === undefined ? 'no rule that is known here does it: see ip rule' : `rule ${ruleText(rule)}`,
      ...new Set(astray.map((one) => foundText(view, one))),
    ],
    remedy: [
      ...networks.flatMap((network) => (rule === undefined ? [] : (ownerOf(rule)?.remedy(network) ?? []))),
      ...networks.flatMap((network) => (rule === undefined ? [] : comesFirst(rule, network))),
    ],
  };
}

/** The network of the LAN that an address is in, or the address. */
function networkText({ addresses, uplink }: LocalView, { question: { to } }: Astray): string {
  const found = addresses.find(
    ({ index, cidr }) => index === uplink?.index && cidr.prefix < HOST_PREFIX && cidrContains(cidr, to),
  );
  return formatCidr(found === undefined ? { address: to, prefix: HOST_PREFIX } : networkOf(found.cidr));
}

function foundText(view: LocalView, { found, question: { to, from }, iif, by }: Astray): string {
  const asked = `${to}${from === undefined ? '' : ` from ${from}`}${iif === undefined ? '' : ` iif ${iif}`}`;
  if (found.kind === 'none') return `${asked}: ${found.why}, and not by ${by.name}`;
  const { dst, gateway, index } = found.route;
  const via = gateway === undefined ? '' : ` via ${gateway}`;
  return `${asked}: table ${found.table} has ${formatCidr(dst)}${via} dev ${linkName(view, index)}, and not ${by.name}`;
}

function comesFirst({ priority }: PolicyRule, network: string): readonly string[] {
  if (priority === 0) return [];
  return [
    `or let the node's own routes come first, now and at each boot: ip rule add pref ${priority - 1} to ${network} lookup main`,
  ];
}
