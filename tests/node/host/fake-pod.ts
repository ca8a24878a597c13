import type { Mac } from '../../../src/base/mac.ts';
import type { SysError } from '../../../src/base/sys-error.ts';
import type { PodSidePort } from '../../../src/node/host/ports.ts';

/** What a pod has in its namespace. */
export type PodState = {
  /** What its kernel says to routes. */
  refuse?: SysError | undefined;
  services: readonly string[];
  shimMac: Mac | undefined;
  lastHops: number;
  /** What others did to its last hop. */
  lastHopProblem?: string | undefined;
  index: number;
  /** How often a port to it was closed. */
  closed?: number;
  /** When it took another one. */
  mac?: Mac | undefined;
};

/** A pod's namespace without a kernel. `lastHopRefused`: what its kernel says to a last hop. */
export function fakePodSide(
  path: string,
  pod: PodState,
  lastHopRefused: () => SysError | undefined = () => undefined,
): PodSidePort {
  const setLastHop = (): Promise<void> => {
    const refused = lastHopRefused();
    if (refused !== undefined) return Promise.reject(refused);
    pod.lastHopProblem = undefined;
    pod.lastHops += 1;
    return Promise.resolve();
  };
  return {
    inode: path,
    peek: () => ({ index: pod.index, mac: pod.mac }),
    setServices: (_index, networks, shimMac) => {
      if (pod.refuse !== undefined) return Promise.reject(pod.refuse);
      pod.services = networks.map(({ address, prefix }) => `${address}/${prefix}`);
      pod.shimMac = shimMac;
      return Promise.resolve();
    },
    addServices: (_index, networks, shimMac) => {
      pod.services = networks.map(({ address, prefix }) => `${address}/${prefix}`);
      pod.shimMac = shimMac;
      return Promise.resolve();
    },
    serviceProblems: (_index, networks, shimMac) => {
      const missing = networks
        .map(({ address, prefix }) => `${address}/${prefix}`)
        .filter((text) => !pod.services.includes(text));
      const isShim = networks.length === 0 || pod.shimMac === shimMac;
      return Promise.resolve([
        ...missing.map((text) => `no route to ${text}`),
        ...(isShim ? [] : ['the neighbour is not the shim']),
      ]);
    },
    lastHopProblem: () => Promise.resolve(pod.lastHops > 0 ? pod.lastHopProblem : 'no last hop'),
    setLastHop,
    addLastHop: setLastHop,
    removeLastHop: () => Promise.resolve(),
    close: () => {
      pod.closed = (pod.closed ?? 0) + 1;
    },
  };
}
