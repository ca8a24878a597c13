import { formatCidr } from '../../base/cidr.ts';
import type { PolicyRule } from './ports.ts';

/** Whose a policy rule is, and what to do there so that a network stays the node's own. */
export type RuleOwner = { readonly name: string; readonly remedy: (network: string) => readonly string[] };

type Known = { readonly is: (rule: PolicyRule) => boolean } & RuleOwner;

function looksUp(rule: PolicyRule, table: number): boolean {
  return typeof rule.does === 'object' && rule.does.table === table;
}

/** wgengine/router (tailscaleRouteTable), and the mark of what tailscaled sends itself (tailscaleBypassMark). */
const TAILSCALE = { table: 52, mark: 0x80000 };
/** talpid-routing (TUNNEL_FW_MARK, "mole"): the table has the same number. */
const MULLVAD = { table: 0x6d6f6c65, mark: 0x6d6f6c65 };
/** client/internal/routemanager/systemops (NetbirdVPNTableID), and its mark (NetbirdFwmark). */
const NETBIRD = { table: 0x1bd0, mark: 0x1bd00 };

function isOf(rule: PolicyRule, { table, mark }: { readonly table: number; readonly mark: number }): boolean {
  return looksUp(rule, table) || rule.mark?.value === mark;
}

/** By the tables and marks in their sources: what else is known of a rule does not tell who made it. */
const KNOWN: readonly Known[] = [
  {
    name: 'Tailscale',
    is: (rule) => isOf(rule, TAILSCALE),
    remedy: (network) => [
      `another machine advertises ${network} to the tailnet, and this node accepts it: tailscale set --accept-routes=false`,
    ],
  },
  {
    name: 'Mullvad',
    is: (rule) => isOf(rule, MULLVAD),
    remedy: () => ['mullvad lan set allow'],
  },
  {
    name: 'NetBird',
    is: (rule) => isOf(rule, NETBIRD),
    remedy: (network) => [
      `this node takes ${network} from another one: netbird networks list, then netbird networks deselect NAME`,
    ],
  },
  {
    name: 'wg-quick',
    // Its table has the number of its mark, which packets of the tunnel itself have.
    is: (rule) => rule.inverted === true && rule.mark !== undefined && looksUp(rule, rule.mark.value),
    remedy: (network) => [
      `take ${network} out of AllowedIPs in /etc/wireguard, and start the tunnel anew (wg-quick down, wg-quick up)`,
    ],
  },
];

/** linux/rtnetlink.h (RTPROT_*) and iproute2's rt_protos. */
const PROTOCOLS: ReadonlyMap<number, string> = new Map([
  [0, 'by hand, or by a program that does not say'],
  [2, 'the kernel'],
  [3, 'boot: by hand or by a script'],
  [4, 'static: systemd-networkd or an administrator'],
  [11, 'Zebra'],
  [12, 'BIRD'],
  [16, 'a DHCP client'],
  [18, 'keepalived'],
  [196, 'FRR (static)'],
]);

/** Undefined: it is not known. */
export function ownerOf(rule: PolicyRule): RuleOwner | undefined {
  return KNOWN.find(({ is }) => is(rule));
}

/** "Tailscale", "an unknown owner, protocol 0 (by hand, or by a program that does not say)". */
export function ownerText(rule: PolicyRule): string {
  const known = PROTOCOLS.get(rule.protocol);
  const protocol = known === undefined ? '' : ` (${known})`;
  return ownerOf(rule)?.name ?? `an unknown owner, protocol ${rule.protocol}${protocol}`;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

const WHOLE_MARK = 0xffff_ffff;

/** As `ip rule` shows it: "5270: from all lookup 52". */
export function ruleText(rule: PolicyRule): string {
  const { priority, from, to, iif, oif, mark, does, suppressPrefixLength: suppressed } = rule;
  return [
    `${priority}:`,
    ...(rule.inverted === true ? ['not'] : []),
    `from ${from === undefined ? 'all' : formatCidr(from)}`,
    ...(to === undefined ? [] : [`to ${formatCidr(to)}`]),
    ...(mark === undefined
      ? []
      : [`fwmark ${hex(mark.value)}${mark.mask === WHOLE_MARK ? '' : `/${hex(mark.mask)}`}`]),
    ...(iif === undefined ? [] : [`iif ${iif}`]),
    ...(oif === undefined ? [] : [`oif ${oif}`]),
    ...(rule.further === true ? ['(and more)'] : []),
    typeof does === 'object' ? `lookup ${does.table}` : does,
    ...(suppressed === undefined ? [] : [`suppress_prefixlength ${suppressed}`]),
  ].join(' ');
}
