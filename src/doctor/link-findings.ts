import type { Mac } from '../base/mac.ts';
import type { Finding } from './finding.ts';
import type { ProbedLink } from './ports.ts';

/** What keeps an uplink from being probed at all; undefined when nothing does, and then it has a MAC address. */
export function uplinkFinding(name: string | undefined, link: ProbedLink | undefined): Finding | undefined {
  if (name === undefined) {
    return {
      id: 'uplink-missing',
      severity: 'error',
      title: 'no interface of this node has a default route, so it is not known which one is the uplink',
      evidence: ['"master" is not set, and there is no default route'],
      remedy: ['Name the LAN interface as "master", or give the node a default route.'],
    };
  }
  if (link === undefined) {
    return {
      id: 'uplink-missing',
      severity: 'error',
      title: `the uplink ${name} does not exist`,
      evidence: [`there is no interface ${name} in the node's network namespace`],
      remedy: ['Name an interface that exists as "master" (ip link shows them).'],
    };
  }
  if (link.mac === undefined) {
    return {
      id: 'uplink-not-ethernet',
      severity: 'error',
      title: `the uplink ${name} is no Ethernet interface, and pods cannot have a MAC address on it`,
      evidence: [`${name} has no Ethernet address`],
      remedy: ['Name the interface of the LAN as "master".'],
    };
  }
  if (!link.up) {
    return {
      id: 'uplink-down',
      severity: 'error',
      title: `the uplink ${name} is down`,
      evidence: [`${name} is not IFF_UP`],
      remedy: [`Switch it on: ip link set ${name} up`],
    };
  }
  if (!link.lowerUp) {
    return {
      id: 'uplink-no-carrier',
      severity: 'error',
      title: `the uplink ${name} has no carrier`,
      evidence: [`${name} is up, and its lower layer is not (NO-CARRIER)`],
      remedy: ["Check the cable, the switch's port, or that the virtual network adapter is connected."],
    };
  }
  return undefined;
}

export function hasMac(link: ProbedLink): link is ProbedLink & { readonly mac: Mac } {
  return link.mac !== undefined;
}
