import { type Cidr, cidrContains, formatCidr } from '../../base/cidr.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import { isSysError, SysError } from '../../base/sys-error.ts';
import { type Duration, later, seconds } from '../../base/time.ts';
import { LanView } from './lan-view.ts';
import type { LinkNames } from './link-names.ts';
import { LookTimer } from './look-timer.ts';
import { addressProblem, type NodeLan, onLink, serviceProblem, type UplinkHere } from './node-lan.ts';
import { type InterfaceNotice, RTPROT_LEASEHOLD } from './ports.ts';
import { type AttachmentRecord, attachmentText } from './record.ts';
import type { ServiceNetworks } from './service-networks.ts';
import type { HostWorld } from './world.ts';

/** After a look that failed. */
const RETRY: Duration = seconds(5);

/** What a pod asks for would take the node, or a part of its network, off the LAN. */
export class NotAdmitted extends SysError {
  /** What of the request it is. */
  readonly field: 'services' | 'address';
  readonly reason: string;

  constructor(field: NotAdmitted['field'], reason: string) {
    super(`admit ${field}`, 'EINVAL', reason);
    this.field = field;
    this.reason = reason;
  }
}

export type AdmissionOwner = {
  readonly names: LinkNames;
  /** The interfaces by which the node is on the LANs of its pods, by name. */
  uplinks(): readonly string[];
  /** Another pod that has an address, by the name of its attachment. */
  podWith(address: Ipv4, but: AttachmentRecord): string | undefined;
  /** A pod whose address was refused is to be looked at again: by the name of its attachment. */
  again(attachment: string): void;
};

type Pod = { readonly record: AttachmentRecord; readonly addresses: readonly Ipv4[] };

/**
 * Says what the node may do for a pod: which addresses it leads to one, and which networks are kept off the LAN as those
 * of services. Both are judged by what the kernel has at that moment; networks again whenever that changes.
 */
export class Admission {
  readonly #world: HostWorld;
  readonly #services: ServiceNetworks;
  readonly #owner: AdmissionOwner;
  readonly #timer: LookTimer;
  readonly #view: LanView;
  /**
   * The networks of each uplink at the last look at which the node had any there: a DHCP client that sets the node's
   * address anew takes no running pod off it.
   */
  readonly #seen = new Map<string, readonly Cidr<Ipv4>[]>();
  /** Pods that have an address which the node does not lead to them, with the reason. */
  readonly #refused = new Map<string, string>();
  #leftOut = '';

  constructor(world: HostWorld, services: ServiceNetworks, owner: AdmissionOwner) {
    this.#world = world;
    this.#services = services;
    this.#owner = owner;
    this.#timer = new LookTimer(world, () => void this.lookAgain());
    this.#view = new LanView(world, () => this.#judgeAgain());
    services.judgeBy(
      (network) => this.serviceProblem(network),
      () => this.#report(),
    );
  }

  /** What the node's kernel had at the last look. */
  get lan(): NodeLan {
    return this.#view.lan;
  }

  /** An ADD is under way whose pod is to be admitted in a moment. */
  begin(): void {
    this.#view.begin();
  }

  /** Why a network is not one of services now; undefined: it is. */
  serviceProblem(network: Cidr<Ipv4>, also: readonly string[] = []): string | undefined {
    const api = this.#world.apiServer();
    // Else nobody could tell the node, or its kubelet, of a better one.
    if (api !== undefined && cidrContains(network, api)) {
      return `contains ${api}, the API server that this node's kubelet uses`;
    }
    return serviceProblem(this.lan, this.#here([...this.#owner.uplinks(), ...also]), network);
  }

  #here(names: readonly string[]): readonly UplinkHere[] {
    return [...new Set(names)].flatMap((name) => {
      const link = this.#owner.names.find(name);
      if (link === undefined) return [];
      return { name: link.name, index: link.index, stated: this.#seen.get(name) ?? this.#world.lan() };
    });
  }

  /** Rejects with NotAdmitted for an ADD that must not be, with another SysError when the kernel cannot be asked. */
  async admit({ record, addresses }: Pod): Promise<void> {
    const { services, uplink } = record;
    await this.#view.now();
    const named = typeof services === 'string' ? [] : services;
    for (const network of named) {
      const problem = this.serviceProblem(network, [uplink]);
      if (problem !== undefined) throw new NotAdmitted('services', `${formatCidr(network)} ${problem}`);
    }
    const [refused] = this.#judge(record, addresses);
    if (refused !== undefined) throw new NotAdmitted('address', refused);
  }

  /** Of the addresses of a running pod those that the node may lead to it. What is refused is said and counted. */
  async admitted(pod: Pod): Promise<readonly Ipv4[]> {
    const { record } = pod;
    const text = attachmentText(record.key);
    if (pod.addresses.length > 0) await this.look();
    const { addresses } = pod;
    const [reason] = this.#judge(record, addresses);
    const before = this.#refused.get(text);
    if (reason === undefined) {
      this.#refused.delete(text);
      return addresses;
    }
    this.#refused.set(text, reason);
    if (reason !== before) {
      this.#world.count('address-refused');
      this.#world.log.error(
        { attachment: text, reason },
        'a running pod has an address that the node must not lead to it: no route is made',
      );
    }
    return addresses.filter((address) => this.#problemOf(record, address) === undefined);
  }

  #judge(record: AttachmentRecord, addresses: readonly Ipv4[]): readonly string[] {
    return addresses.flatMap((address) => {
      const problem = this.#problemOf(record, address);
      return problem === undefined ? [] : [`${address} ${problem}`];
    });
  }

  #problemOf(record: AttachmentRecord, address: Ipv4): string | undefined {
    const other = this.#owner.podWith(address, record);
    if (other !== undefined) return `is the address of pod ${other}`;
    const [here] = this.#here([record.uplink]);
    return here === undefined ? undefined : addressProblem(this.lan, here, address);
  }

  forget(attachment: string): void {
    this.#refused.delete(attachment);
  }

  /** The same, and never rejects: a look that fails is tried again. */
  async lookOrLater(): Promise<void> {
    try {
      await this.look();
    } catch (error) {
      if (!isSysError(error)) throw error;
      this.#timer.at(later(this.#world.clock.now(), RETRY));
    }
  }

  /** Reads the kernel and judges the networks of services anew. Those who come while it is read share the next reading. */
  look(): Promise<NodeLan> {
    this.#timer.looked();
    return this.#view.read();
  }

  #judgeAgain(): void {
    this.#remember();
    this.#services.judge();
  }

  #remember(): void {
    const uplinks = this.#owner.uplinks();
    for (const name of this.#seen.keys()) if (!uplinks.includes(name)) this.#seen.delete(name);
    for (const name of uplinks) {
      const index = this.#owner.names.find(name)?.index;
      const networks = index === undefined ? [] : onLink(this.lan, index);
      if (networks.length > 0) this.#seen.set(name, networks);
    }
  }

  /** Each set of networks once. */
  #report(): void {
    const { leftOut } = this.#services;
    const names = leftOut.map(({ network }) => formatCidr(network)).join(' ');
    if (names === this.#leftOut) return;
    this.#leftOut = names;
    if (names === '') {
      this.#world.log.info(
        {},
        'no network of services overlaps the LAN or the API server any more: all are in use',
      );
      return;
    }
    this.#world.count('services-left-out');
    this.#world.log.error(
      { leftOut: leftOut.map(({ network, problem }) => `${formatCidr(network)} ${problem}`) },
      'networks of services are not in use while they overlap the LAN or the API server: it would be cut off (leasehold doctor says more)',
    );
  }

  /** Something changed on the node. */
  notice(notice: InterfaceNotice): void {
    this.#view.notice(notice);
    if (this.#matters(notice)) this.#timer.soon();
  }

  #matters(notice: InterfaceNotice): boolean {
    const isAtUplink = (index: number): boolean =>
      this.#here(this.#owner.uplinks()).some((one) => one.index === index);
    switch (notice.kind) {
      case 'address':
        // A pod's lease may stand on any interface, also one on which the node does nothing for pods.
        return true;
      case 'route':
        if (notice.protocol === RTPROT_LEASEHOLD) return false;
        if (this.#refused.size > 0 || notice.dst.prefix === 0) return true;
        return notice.gateway !== undefined || isAtUplink(notice.index);
      default:
        return false;
    }
  }

  /** Notices were lost. */
  noticesLost(): void {
    this.#view.lost();
    void this.lookAgain();
  }

  /** At all of it, refused pods included. Never rejects. */
  async lookAgain(): Promise<void> {
    await this.lookOrLater();
    for (const attachment of this.#refused.keys()) this.#owner.again(attachment);
  }

  close(): void {
    this.#timer.close();
  }
}
