import type { Cidr } from '../../../src/base/cidr.ts';
import { IPV4_ANY, type Ipv4 } from '../../../src/base/ipv4.ts';
import type { Mac } from '../../../src/base/mac.ts';
import { SysError } from '../../../src/base/sys-error.ts';
import type {
  InterfaceConfiguration,
  LinkState,
  PodNamespace,
  RouteSpec,
  UdpPort,
} from '../../../src/lease/ports.ts';

export type Datagram = {
  readonly bytes: Uint8Array;
  readonly from: Ipv4;
  readonly to: Ipv4;
  readonly pod: PodModel;
};

/** One interface of one pod, and what the kernel knows of it. */
export class PodModel {
  readonly path: string;
  readonly inode: string;
  readonly link: { index: number; name: string; mac: Mac; mtu: number; up: boolean; lowerUp: boolean };
  addresses: Cidr[] = [];
  routes: RouteSpec[] = [];
  /** Datagrams stay with the kernel, as when nobody answers ARP. */
  stuck = false;
  readonly history: string[] = [];
  readonly sockets = new Set<SocketModel>();
  openHandles = 0;

  constructor(path: string, inode: string, index: number, mac: Mac) {
    this.path = path;
    this.inode = inode;
    this.link = { index, name: 'eth0', mac, mtu: 1500, up: true, lowerUp: true };
  }

  has(address: Ipv4): boolean {
    return this.addresses.some((own) => own.address === address);
  }

  note(what: string): void {
    this.history.push(what);
  }
}

export class SocketModel implements UdpPort {
  readonly #pod: PodModel;
  readonly #transmit: (datagram: Datagram) => void;
  readonly local: Ipv4;
  #callback: ((bytes: Uint8Array) => void) | undefined;
  #open = true;

  constructor(pod: PodModel, local: Ipv4, transmit: (datagram: Datagram) => void) {
    this.#pod = pod;
    this.local = local;
    this.#transmit = transmit;
    pod.sockets.add(this);
  }

  sendOffLoop(bytes: Uint8Array, to: Ipv4): Promise<SysError | undefined> {
    return Promise.resolve(this.send(bytes, to));
  }

  send(bytes: Uint8Array, to: Ipv4): SysError | undefined {
    if (!this.#open) throw new Error('sent on a closed socket');
    // Linux takes an address of the interface when the socket has none.
    const first = this.#pod.addresses[0]?.address as Ipv4 | undefined;
    const from = this.local === IPV4_ANY ? (first ?? IPV4_ANY) : this.local;
    this.#transmit({ bytes, from, to, pod: this.#pod });
    return undefined;
  }

  onMessage(callback: (bytes: Uint8Array) => void): void {
    if (this.#callback !== undefined) throw new Error('a second listener');
    this.#callback = callback;
  }

  hear(bytes: Uint8Array): void {
    if (this.#open) this.#callback?.(bytes);
  }

  pendingBytes(): number {
    return this.#pod.stuck ? 300 : 0;
  }

  close(): void {
    this.#open = false;
    this.#pod.sockets.delete(this);
  }
}

/** A pod's namespace as kernel/ gives it, with the kernel's refusals. */
export class FakePod implements PodNamespace {
  readonly #model: PodModel;
  readonly #transmit: (datagram: Datagram) => void;

  constructor(model: PodModel, transmit: (datagram: Datagram) => void) {
    this.#model = model;
    this.#transmit = transmit;
    model.openHandles += 1;
  }

  get inode(): string {
    return this.#model.inode;
  }

  link(name: string): Promise<LinkState | undefined> {
    return Promise.resolve(name === this.#model.link.name ? { ...this.#model.link } : undefined);
  }

  setUp(): Promise<void> {
    return Promise.resolve();
  }

  #check(op: string, index: number): void {
    if (index !== this.#model.link.index) throw new SysError(op, 'ENODEV');
  }

  async configure(index: number, wanted: InterfaceConfiguration): Promise<void> {
    this.#check('configure', index);
    for (const address of wanted.addresses) await this.ensureAddress(index, address);
    this.#model.routes = [...wanted.routes];
    if (wanted.mtu === undefined) return;
    this.#model.link.mtu = wanted.mtu;
    this.#model.note(`mtu ${wanted.mtu}`);
  }

  ensureAddress(index: number, address: Cidr): Promise<boolean> {
    return Promise.resolve().then(() => {
      this.#check('RTM_NEWADDR', index);
      const text = JSON.stringify(address);
      if (this.#model.addresses.some((own) => JSON.stringify(own) === text)) return false;
      this.#model.addresses.push(address);
      this.#model.note(`+${address.address}/${address.prefix}`);
      return true;
    });
  }

  removeAddress(index: number, address: Cidr): Promise<void> {
    return Promise.resolve().then(() => {
      this.#check('RTM_DELADDR', index);
      const text = JSON.stringify(address);
      const left = this.#model.addresses.filter((own) => JSON.stringify(own) !== text);
      if (left.length === this.#model.addresses.length) return;
      this.#model.addresses = left;
      this.#model.note(`-${address.address}/${address.prefix}`);
    });
  }

  openUdp({ ifname, localAddress }: { readonly ifname: string; readonly localAddress: Ipv4 }): UdpPort {
    if (ifname !== this.#model.link.name) throw new SysError(`open UDP on ${ifname}`, 'ENODEV');
    if (localAddress !== IPV4_ANY && !this.#model.has(localAddress)) {
      throw new SysError(`open UDP on ${ifname}`, 'EADDRNOTAVAIL');
    }
    return new SocketModel(this.#model, localAddress, this.#transmit);
  }

  close(): void {
    this.#model.openHandles -= 1;
  }
}
