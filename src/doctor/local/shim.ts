import { formatCidr } from '../../base/cidr.ts';
import { isIpv4 } from '../../base/ip.ts';
import { HOST_PREFIX } from '../../node/host/plan.ts';
import { firstShimName } from '../../node/host/shim.ts';
import type { Finding } from '../finding.ts';
import { shimsOf, type Check, type LocalView } from './check.ts';
import type { NodeLink } from './ports.ts';

/** Programs that configure interfaces that they were not asked to, and how each is told to leave some alone. */
const MANAGERS: readonly { readonly program: string; readonly advice: (name: string) => string }[] = [
  {
    program: 'dhcpcd',
    advice: (name) => `dhcpcd: "denyinterfaces ${name}" in /etc/dhcpcd.conf, then restart it`,
  },
  {
    program: 'NetworkManager',
    advice: (name) =>
      `NetworkManager: [keyfile] unmanaged-devices=interface-name:${name} in /etc/NetworkManager/conf.d/leasehold.conf`,
  },
  {
    program: 'systemd-networkd',
    advice: (name) =>
      `systemd-networkd: /etc/systemd/network/05-leasehold.network with [Match] Name=${name} and [Link] Unmanaged=yes; restart it, then "ip link del ${name}": the daemon makes it anew at once`,
  },
  { program: 'connmand', advice: (name) => `connman: NetworkInterfaceBlacklist=${name} in main.conf` },
];

/** Advice for the managers that run here; for all of them where none is in sight. */
function managerAdvice({ facts }: LocalView, name: string): readonly string[] {
  const running = new Set(facts.processes().map(({ argv }) => nameOf(argv)));
  const here = MANAGERS.filter(({ program }) => running.has(program));
  return (here.length > 0 ? here : MANAGERS).map(({ advice }) => advice(name));
}

/** dhcpcd rewrites its title: "dhcpcd: eth0 [ip4]". */
function nameOf(argv: readonly string[]): string {
  const path = (argv[0] ?? '').split(/[ :]/, 1)[0] ?? '';
  return path.slice(path.lastIndexOf('/') + 1);
}

export const shimCheck: Check = {
  subject: 'the shims: there, up, and with no address of somebody else',
  look: (view) => [...missing(view), ...shimsOf(view).flatMap((shim) => ofShim(view, shim))],
};

/** What the daemon says it made, and is not there. */
function missing({ daemon, links }: LocalView): readonly Finding[] {
  return (daemon.host?.uplinks ?? []).flatMap(({ name, shim }): readonly Finding[] => {
    if (shim === undefined || links.some((link) => link.name === shim)) return [];
    return [
      {
        id: 'shim-missing',
        severity: 'error',
        title: `${shim}, by which this node reaches its pods on ${name}, is not there`,
        evidence: [`the daemon has ${shim} on ${name}; ip link does not show it`],
        remedy: [
          'the daemon makes it again by itself: look again in a second',
          'if it stays away, journalctl -u leasehold says who removes it',
        ],
      },
    ];
  });
}

function ofShim(view: LocalView, shim: NodeLink): readonly Finding[] {
  const uplink = view.links.find(({ index }) => index === shim.masterIndex);
  const nodes = new Set(
    view.addresses.filter(({ index }) => index === uplink?.index).map(({ cidr }) => cidr.address),
  );
  const foreign = view.addresses
    .filter(({ index, cidr }) => index === shim.index && isIpv4(cidr.address))
    .filter(({ cidr }) => cidr.prefix !== HOST_PREFIX || !nodes.has(cidr.address))
    .map(({ cidr }) => formatCidr(cidr));
  const findings: Finding[] = [];
  if (!shim.up) {
    findings.push({
      id: 'shim-down',
      severity: 'error',
      title: `${shim.name} is down: this node cannot reach its pods`,
      evidence: [`ip link show ${shim.name}`],
      remedy: [
        view.daemon.state === 'ready' ? 'the daemon sets it up again' : 'start the daemon, which sets it up',
      ],
    });
  }
  if (foreign.length > 0) {
    findings.push({
      id: 'shim-foreign-address',
      severity: 'warning',
      title: `${shim.name} has an address that Leasehold did not give it: another program manages it`,
      evidence: foreign.map((address) => `${address} on ${shim.name}`),
      remedy: managerAdvice(view, shim.name),
    });
  }
  return findings;
}

export const hostProblemCheck: Check = {
  subject: 'what the daemon could not do on this node',
  look: ({ daemon }) =>
    (daemon.host?.problems ?? []).map((problem): Finding => ({
      id: 'host-problem',
      severity: 'error',
      title: `the daemon could not set up its part of this node: ${problem}`,
      evidence: [`GET /v1/host at ${daemon.socket}`],
      remedy: ['mend what the kernel says; the daemon tries again by itself'],
    })),
};

export const fightCheck: Check = {
  subject: 'programs that undo what Leasehold does',
  look: (view) =>
    (view.daemon.host?.fights ?? []).map(({ item, by, since, count }): Finding => {
      const shims = view.daemon.host?.uplinks.flatMap(({ shim }) => shim ?? []) ?? [];
      return {
        id: 'fight',
        severity: 'warning',
        title: `${item} is changed again and again${by === undefined ? '' : ` by ${by}`}`,
        evidence: [
          `${count === undefined ? 'several times' : `${count} times`}${since === undefined ? '' : ` since ${since}`}`,
        ],
        remedy: managerAdvice(view, shims[0] ?? firstShimName([], [])),
      };
    }),
};
