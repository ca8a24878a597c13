import type { AddCall, PluginServices } from '../context.ts';
import { isAnonymous } from '../dhcp/anonymous.ts';
import { readDhcpKeys } from '../dhcp/keys.ts';
import { podMac } from '../identity/pod-mac.ts';
import { subjectOf } from '../identity/subject.ts';
import type { PodMacSource } from './macvlan-conf.ts';

/** The MAC policy of this node for the pod of an ADD. Where the runtime names no pod it is the container's, and said so. */
export function podMacSource(services: PluginServices, { env, conf }: AddCall): PodMacSource {
  const { mac, identity, defaults } = services.dhcp;
  // A MAC address of the daemon's making would tell a pod again that says who it is by nothing else.
  const wantsNoName = (): boolean =>
    conf.ipamType === 'dhcp' && isAnonymous(readDhcpKeys(conf.ipam ?? {}, 'ipam'), defaults);
  return {
    byDefault: mac === 'random' || wantsNoName() ? 'random' : mac,
    make: () => {
      if (subjectOf(env, identity).kind === 'container') {
        services.count('identity-without-pod');
        services.log.warn(
          { containerId: env.containerId, ifname: env.ifname },
          'mac: the runtime names no pod (CNI_ARGS K8S_POD_NAME); "pod" is made from the container',
        );
      }
      return podMac(env, identity);
    },
  };
}
