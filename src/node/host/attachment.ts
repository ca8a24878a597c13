import type { Cidr } from '../../base/cidr.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import { PodSide, type PodSideWanted } from './pod-side.ts';
import { type AttachmentRecord, attachmentText } from './record.ts';
import { hostProblems, type ShimLook } from './shim-look.ts';
import type { HostClaim } from './side-owner.ts';
import type { UplinkSide } from './uplink-side.ts';
import type { HostWorld } from './world.ts';

/** One interface of a pod, as far as the node has a part in it. */
export class Attachment {
  #record: AttachmentRecord;
  /** Undefined: the node has no part in how this pod is reached. */
  readonly side: UplinkSide | undefined;
  readonly pod: PodSide;
  readonly #world: HostWorld;
  #addresses: readonly Ipv4[] = [];

  /** `pod`: what was begun there already. */
  constructor(
    world: HostWorld,
    record: AttachmentRecord,
    side: UplinkSide | undefined,
    pod: PodSide = new PodSide(world, record),
  ) {
    this.#world = world;
    this.#record = record;
    this.side = side;
    this.pod = pod;
  }

  get record(): AttachmentRecord {
    return this.#record;
  }

  /** Its uplink has another name now. */
  uplinkRenamed(uplink: string): void {
    this.#record = { ...this.#record, uplink };
  }

  /** What of the pod's addresses the node is to reach. */
  get addresses(): readonly Ipv4[] {
    const { addresses, key, hostAccess } = this.record;
    if (!hostAccess) return [];
    if (addresses !== 'lease') return addresses;
    const leased = this.#world.leaseAddress(key);
    return leased === undefined ? [] : [leased];
  }

  /** Those that the node leads to it, or is about to. */
  get led(): readonly Ipv4[] {
    return this.#addresses;
  }

  /** The networks that this pod reaches through the node, of those that the node knows. */
  networks(known: readonly Cidr<Ipv4>[]): readonly Cidr<Ipv4>[] {
    const { services } = this.record;
    if (services === 'auto') return known;
    return services === 'off' ? [] : services;
  }

  get #claim(): HostClaim {
    return { owner: attachmentText(this.record.key), mac: this.record.mac };
  }

  /** For a start with many pods: the uplink's next look sets all of them. */
  expect(): void {
    this.#addresses = this.addresses;
    for (const address of this.#addresses) this.side?.expectHost(address, this.#claim);
  }

  /** The node's routes follow the pod's addresses. Rejects with SysError. */
  async follow(now: readonly Ipv4[] = this.addresses): Promise<void> {
    const before = this.#addresses;
    this.#addresses = now;
    await Promise.all([
      ...now.filter((one) => !before.includes(one)).map((one) => this.side?.addHost(one, this.#claim)),
      ...before
        .filter((one) => !now.includes(one))
        .map((one) => this.side?.removeHost(one, this.#claim.owner)),
    ]);
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
    // Without the node there is no way to services by it, and nobody's MAC address to be told.
    const networks = this.side === undefined ? [] : this.networks(known);
    return { networks, shimMac: this.side?.shimMac ?? this.record.mac };
  }

  /** What is missing or wrong, in the pod and on the node: one short text each. Rejects with SysError of the node. */
  async problems(known: readonly Cidr<Ipv4>[], shims: ShimLook): Promise<readonly string[]> {
    const inPod = await this.pod.problems(this.#wantedInPod(known));
    const { side, record, addresses } = this;
    if (addresses.length === 0 || side === undefined) return inPod;
    const { shimIndex: index, shimName: shim } = side;
    return [...inPod, ...hostProblems(addresses, record.mac, { shim, view: await shims.at(index) })];
  }

  /** No route and no neighbour on the node any more, but for what `successor` has as well. Rejects with SysError. */
  async leaveNode(successor?: Attachment): Promise<void> {
    const keeps = successor?.side === this.side ? (successor?.addresses ?? []) : [];
    const { side, record } = this;
    const leaving = this.#addresses.filter((one) => !keeps.includes(one));
    this.#addresses = [];
    if (side === undefined) return;
    await Promise.all(leaving.map((one) => side.removeHost(one, attachmentText(record.key))));
  }
}
