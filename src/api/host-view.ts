import { formatCidr } from '../base/cidr.ts';
import type { JsonObject } from '../base/json.ts';
import type { PodsChecked } from '../node/host/pod-checks.ts';
import type { ClusterStatus } from '../node/services/cluster-status.ts';
import { type FoundServiceNetwork, isGuess } from '../node/services/found.ts';
import type { NestedLink } from '../node/host/nested-links.ts';
import type { HostStatus } from '../node/host/host-status.ts';

/** What `GET /v1/host` is made of. */
export type NodeStatus = HostStatus & {
  /** What pods have made for themselves on an uplink. */
  readonly nested: readonly NestedLink[];
  /** Who says where the services are. */
  readonly sources: readonly FoundServiceNetwork[];
  readonly cluster: ClusterStatus | undefined;
};

/** `GET /v1/host`: the node's side as others read it. */
export function hostView(status: NodeStatus): JsonObject {
  return {
    uplinks: status.uplinks.map((uplink) => ({
      name: uplink.name,
      shim: uplink.shim,
      ready: uplink.ready,
      address: uplink.addresses[0] ?? null,
      addresses: [...uplink.addresses],
      pods: uplink.pods,
      foreignAddresses: [...uplink.foreign],
      problem: uplink.problem ?? null,
    })),
    services: status.services.map(formatCidr),
    servicesLeftOut: status.servicesLeftOut.map(({ network, problem }) => ({
      network: formatCidr(network),
      problem,
    })),
    serviceSources: status.sources.map((one) => ({
      network: formatCidr(one.network),
      source: one.source,
      guessed: isGuess(one),
      remembered: one.isRemembered === true,
    })),
    kubernetes:
      status.cluster === undefined
        ? null
        : { server: status.cluster.server ?? null, problem: status.cluster.problem ?? null },
    attachments: status.attachments,
    guard: { problem: status.guard.problem ?? null },
    repairs: status.repairs,
    nested: status.nested.map(({ uplink, mac, pod, ifname, macvlanMode, ended, takes }) => ({
      uplink,
      mac,
      pod: pod ?? null,
      ifname: ifname ?? null,
      macvlanMode: macvlanMode ?? null,
      ended,
      takes: takes ?? null,
    })),
    fights: status.fights.map(({ item, count }) => ({ item, count })),
  };
}

/** `GET /v1/host/pods`: what is wrong in pods; those without problems are only counted. */
export function podsView({ looked, pods }: PodsChecked): JsonObject {
  return {
    looked,
    pods: pods.map(({ key: { containerId, network, ifname }, problems }) => ({
      containerId,
      network,
      ifname,
      problems: [...problems],
    })),
  };
}
