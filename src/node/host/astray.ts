import type { Ipv4 } from '../../base/ipv4.ts';
import { isSysError } from '../../base/sys-error.ts';
import type { HostKernel, HostNeighbour } from './ports.ts';

/**
 * Without its route the node looked for a pod on the uplink, where nobody answers. What waits there for ARP would wait
 * for its end, three seconds, and TCP sends nothing anew that has not left the host. A permanent neighbour is an
 * administrator's, and stays. Rejects with SysError.
 */
export async function forgetAstray(
  kernel: HostKernel,
  uplink: number | undefined,
  addresses: readonly Ipv4[],
): Promise<void> {
  const [address] = addresses;
  if (uplink === undefined || address === undefined) return;
  const found =
    addresses.length === 1 ? [await kernel.neighbour(uplink, address)] : await kernel.neighbours(uplink);
  const astray = found
    .filter((one): one is HostNeighbour => one !== undefined && !one.permanent)
    .filter((one) => addresses.includes(one.address));
  await kernel.apply(
    astray.map((one) => ({ kind: 'remove-neighbour', index: uplink, address: one.address })),
  );
}

/** Does that for pods that have come, and no ADD waits for it: those that come while it looks are looked for together. */
export class AstrayLooks {
  readonly #kernel: HostKernel;
  readonly #uplink: () => number | undefined;
  #waiting: Ipv4[] = [];
  #isLooking = false;

  /** `uplink`: its index at that moment. */
  constructor(kernel: HostKernel, uplink: () => number | undefined) {
    this.#kernel = kernel;
    this.#uplink = uplink;
  }

  /** The node's route to a pod is there. */
  add(address: Ipv4): void {
    this.#waiting.push(address);
    if (!this.#isLooking) void this.#look();
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    while (this.#waiting.length > 0) {
      const addresses = this.#waiting;
      this.#waiting = [];
      try {
        await forgetAstray(this.#kernel, this.#uplink(), addresses);
      } catch (error) {
        // It costs who waits there three seconds, and nothing else.
        if (!isSysError(error)) throw error;
      }
    }
    this.#isLooking = false;
  }
}
