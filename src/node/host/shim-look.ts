import type { Ipv4 } from '../../base/ipv4.ts';
import type { Mac } from '../../base/mac.ts';
import { HOST_PREFIX } from './plan.ts';
import type { HostKernel, HostNeighbour, HostRoute } from './ports.ts';

export type ShimView = {
  readonly routes: readonly HostRoute[];
  readonly neighbours: readonly HostNeighbour[];
};

/** The routes and neighbours on the shims, each shim read once: a look at many pods reads them for the first. */
export class ShimLook {
  readonly #kernel: HostKernel;
  readonly #seen = new Map<number, Promise<ShimView>>();

  constructor(kernel: HostKernel) {
    this.#kernel = kernel;
  }

  /** Undefined: there is no shim. Rejects with SysError. */
  at(index: number | undefined): Promise<ShimView | undefined> {
    if (index === undefined) return Promise.resolve(undefined);
    const seen = this.#seen.get(index) ?? this.#read(index);
    this.#seen.set(index, seen);
    return seen;
  }

  async #read(index: number): Promise<ShimView> {
    const [routes, neighbours] = await Promise.all([
      this.#kernel.routes(index),
      this.#kernel.neighbours(index),
    ]);
    return { routes, neighbours };
  }
}

type Shim = { readonly shim: string; readonly view: ShimView | undefined };

/** What the node lacks to reach a pod: one short text each. */
export function hostProblems(addresses: readonly Ipv4[], mac: Mac, { shim, view }: Shim): readonly string[] {
  if (view === undefined) return [`the node has no ${shim} to reach the pod by`];
  const { routes, neighbours } = view;
  return addresses.flatMap((address) => {
    const route = routes.some(({ dst }) => dst.address === address && dst.prefix === HOST_PREFIX);
    const neighbour = neighbours.find((one) => one.address === address);
    const isPod = neighbour?.permanent === true && neighbour.mac === mac;
    return [
      ...(route ? [] : [`the node has no route to ${address} by ${shim}`]),
      ...(isPod ? [] : [`the node's neighbour ${address} on ${shim} is not the pod`]),
    ];
  });
}
