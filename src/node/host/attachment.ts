import type { Cidr } from '../../base/cidr.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import { PodSide, type PodSideWanted } from './pod-side.ts';
import type { AttachmentRecord } from './record.ts';
import { hostProblems, type ShimLook } from './shim-look.ts';
import type { UplinkSide } from './uplink-side.ts';
import type { HostWorld } from './world.ts';

/** One interface of a pod, as far as the node has a part in it. */
export class Attachment {
  readonly record: AttachmentRecord;
  readonly side: UplinkSide;
  readonly pod: PodSide;
  readonly #world: HostWorld;
  #addresses: readonly Ipv4[] = [];

  /** `pod`: what was begun there already. */
  constructor(
    world: HostWorld,
    record: AttachmentRecord,
    side: UplinkSide,
    pod: PodSide = new PodSide(world, record),
  ) {
    this.#world = world;
    this.record = record;
    this.side = side;
    this.pod = pod;
  }

  /** What of the pod's addresses the node is to reach. */
  get addresses(): readonly Ipv4[] {
    const { addresses, key, hostAccess } = this.record;
    if (!hostAccess) return [];
    if (addresses !== 'lease') return addresses;
    const leased = this.#world.leaseAddress(key);
    return leased === undefined ? [] : [leased];
  }

  /** The networks that this pod reaches through the node, of those that the node knows. */
  networks(known: readonly Cidr<Ipv4>[]): readonly Cidr<Ipv4>[] {
    const { services } = this.record;
    if (services === 'auto') return known;
    return services === 'off' ? [] : services;
  }

  /** For a start with many pods: the uplink's next look sets all of them. */
  expect(): void {
    this.#addresses = this.addresses;
    for (const address of this.#addresses) this.side.expectHost(address, this.record.mac);
  }

  /** The node's routes follow the pod's addresses. True when they were others. Rejects with SysError. */
  async follow(): Promise<boolean> {
    const before = this.#addresses;
    const now = this.addresses;
    this.#addresses = now;
    const { mac } = this.record;
    await Promise.all([
      ...now.filter((one) => !before.includes(one)).map((one) => this.side.addHost(one, mac)),
      ...before.filter((one) => !now.includes(one)).map((one) => this.side.removeHost(one, mac)),
    ]);
    return before.length !== now.length || now.some((one) => !before.includes(one));
  }

  /** What is in the pod's namespace. Rejects with SysError. */
  applyInPod(known: readonly Cidr<Ipv4>[]): Promise<void> {
    return this.pod.apply(this.#wantedInPod(known));
  }

  /** The same, and what others did to it. Rejects with SysError. */
  mendInPod(known: readonly Cidr<Ipv4>[]): Promise<void> {
    return this.pod.mend(this.#wantedInPod(known));
  }

  #wantedInPod(known: readonly Cidr<Ipv4>[]): PodSideWanted {
    return { networks: this.networks(known), shimMac: this.side.shimMac };
  }

  /** What is missing or wrong, in the pod and on the node: one short text each. Rejects with SysError of the node. */
  async problems(known: readonly Cidr<Ipv4>[], shims: ShimLook): Promise<readonly string[]> {
    const inPod = await this.pod.problems(this.#wantedInPod(known));
    const { side, record, addresses } = this;
    if (addresses.length === 0) return inPod;
    const { shimIndex: index, shimName: shim } = side;
    return [...inPod, ...hostProblems(addresses, record.mac, { shim, view: await shims.at(index) })];
  }

  /** No route and no neighbour on the node any more. Rejects with SysError. */
  async leaveNode(): Promise<void> {
    const addresses = this.#addresses;
    this.#addresses = [];
    await Promise.all(addresses.map((one) => this.side.removeHost(one, this.record.mac)));
  }
}
