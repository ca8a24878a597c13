import { isDeepStrictEqual } from 'node:util';
import type { Cidr } from '../../../src/base/cidr.ts';
import { type Ipv4, ipv4 } from '../../../src/base/ipv4.ts';
import { type Mac, mac } from '../../../src/base/mac.ts';
import { SysError } from '../../../src/base/sys-error.ts';
import { HostSide, type AttachRequest } from '../../../src/node/host/host-side.ts';
import type {
  GuardPort,
  GuardSpec,
  HostAddress,
  HostChange,
  HostKernel,
  HostLink,
  HostNeighbour,
  HostNotice,
  HostRoute,
  HostRule,
} from '../../../src/node/host/ports.ts';
import { RTPROT_LEASEHOLD } from '../../../src/node/host/ports.ts';
import { type AttachmentKey, type HostRecord, hostRecordKey } from '../../../src/node/host/record.ts';
import { isShimAlias } from '../../../src/node/host/shim.ts';
import { ServiceNetworks } from '../../../src/node/host/service-networks.ts';
import { VirtualTime } from '../../lease/support/time.ts';
import { fakePodSide, type PodState } from './fake-pod.ts';

export const UPLINK = 2;
export const NODE: Ipv4 = ipv4('192.168.2.10');
const HOST_PREFIX = 32;
type Link = { -readonly [K in keyof HostLink]: HostLink[K] };
/** A node without a kernel: links, addresses, routes as the real one keeps them, with its notices and its silences. */
export class FakeNode implements HostKernel {
  readonly time = new VirtualTime('boot');
  readonly services = new ServiceNetworks();
  readonly stored = new Map<string, HostRecord>();
  readonly log: { level: string; fields: object; text: string }[] = [];
  readonly counts = new Map<string, number>();
  /** What left by an interface. */
  readonly frames: { readonly index: number; readonly frame: Uint8Array }[] = [];
  readonly sysctls = new Map<string, string>();
  readonly pods = new Map<string, PodState>();
  readonly leases = new Map<string, Ipv4>();
  guard: GuardSpec | undefined;
  guardBroken = false;
  guardPuts = 0;
  /** What the kernel says to who wants to set the guard. */
  refuseGuardPut: SysError | undefined;
  linkTable: Link[] = [];
  addressTable: HostAddress[] = [];
  routeTable: HostRoute[] = [];
  neighbourTable: HostNeighbour[] = [];
  ruleTable: HostRule[] = [];
  shims = 0;
  #nextIndex = 10;
  #macs = 0;
  /** MAC addresses that pods have taken: nothing else on their uplink can be up with them. */
  readonly takenMacs = new Set<Mac>();
  /** What the configuration says of the LAN. */
  stated: readonly Cidr<Ipv4>[] = [];
  apiServer: Ipv4 | undefined;
  /** What the next `apply` answers instead of doing anything. */
  refuse: SysError | undefined;
  /** What the kernel says to who asks for its rules. */
  refuseRules: SysError | undefined;
  /** What the kernel says to who wants to remove the guard. */
  refuseGuard: SysError | undefined;
  /** What the disk says to every record. */
  refuseRecords: SysError | undefined;
  /** What every pod's kernel says to a last hop. */
  lastHopRefused: SysError | undefined;
  /** Whether the daemon listens to all that the kernel tells. */
  heard = false;
  routeReads = 0;
  side!: HostSide;

  constructor() {
    this.addUplink('eth0', UPLINK);
    this.setAddress(NODE);
    this.boot();
  }

  /** A daemon that begins anew on this node. */
  boot(): HostSide {
    this.side = new HostSide(
      {
        clock: { now: () => this.time.now(), bootId: 'boot' },
        timers: this.time,
        hearNow: () => this.heard,
        kernel: this,
        guard: {
          put: (spec) => {
            this.guardPuts += 1;
            if (this.refuseGuardPut !== undefined) return Promise.reject(this.refuseGuardPut);
            this.guard = spec;
            this.guardBroken = false;
            return Promise.resolve();
          },
          isIntact: () => Promise.resolve(!this.guardBroken),
          remove: () => this.removeGuard(),
        },
        openPodSide: (path) => {
          const pod = this.pods.get(path);
          if (pod === undefined) throw new SysError(`open ${path}`, 'ENOENT');
          return fakePodSide(path, pod, () => this.lastHopRefused);
        },
        namespaceAt: (path) => (this.pods.has(path) ? { kind: 'namespace', inode: path } : { kind: 'gone' }),
        lan: () => this.stated,
        apiServer: () => this.apiServer,
        leaseAddress: (key) => this.leases.get(key.containerId),
        leases: () =>
          [...this.leases].map(([name, address]) => ({
            key: this.key(name),
            netns: { path: `/run/netns/${name}`, inode: `/run/netns/${name}` },
            mac: macOf(address),
            uplink: 'eth0',
            address,
          })),
        sendFrame: (index, frame) => {
          this.frames.push({ index, frame });
          return undefined;
        },
        newMac: () => mac(`02:00:00:00:00:${String(++this.#macs).padStart(2, '0')}`),
        store: {
          put: (record) => {
            if (this.refuseRecords !== undefined) return Promise.reject(this.refuseRecords);
            this.stored.set(hostRecordKey(record), record);
            return Promise.resolve();
          },
          remove: (record) => {
            this.stored.delete(hostRecordKey(record));
            return Promise.resolve();
          },
        },
        log: {
          info: (fields, text) => void this.log.push({ level: 'info', fields, text }),
          warn: (fields, text) => void this.log.push({ level: 'warn', fields, text }),
          error: (fields, text) => void this.log.push({ level: 'error', fields, text }),
        },
        count: (event) => void this.counts.set(event, (this.counts.get(event) ?? 0) + 1),
      },
      this.services,
    );
    return this.side;
  }

  /** As GuardPort has it. */
  removeGuard(): ReturnType<GuardPort['remove']> {
    const { guard, refuseGuard: error } = this;
    if (guard === undefined) return Promise.resolve([]);
    if (error === undefined) this.guard = undefined;
    return Promise.resolve([{ table: 'inet leasehold', error }]);
  }

  addUplink(name: string, index: number): void {
    this.linkTable.push({ index, name, mtu: 1500, up: true, lowerUp: true, mac: mac('96:00:00:00:00:01') });
    this.tell({ kind: 'link', gone: false, index, name, up: true, lowerUp: true });
  }

  /** A pod with a lease, as an ADD would attach it. */
  pod(name: string, address: string, change: Partial<AttachRequest> = {}): AttachRequest {
    const path = `/run/netns/${name}`;
    this.pods.set(path, { services: [], shimMac: undefined, lastHops: 0, index: 3 });
    this.leases.set(name, ipv4(address));
    return {
      key: { containerId: name, network: 'lan', ifname: 'eth0' },
      netns: { path, inode: path },
      mac: macOf(ipv4(address)),
      uplink: 'eth0',
      hostAccess: true,
      services: 'auto',
      lastHop: true,
      addresses: 'lease',
      ...change,
    };
  }

  podState(name: string): PodState {
    const pod = this.pods.get(`/run/netns/${name}`);
    if (pod === undefined) throw new Error(`no pod ${name}`);
    return pod;
  }

  get shim(): Link | undefined {
    return this.shimsOfNode[0];
  }

  get shimsOfNode(): readonly Link[] {
    return this.linkTable.filter(({ alias }) => isShimAlias(alias));
  }

  /** What the shim has: addresses, routes with their sources, neighbours. */
  shimView(): { addresses: string[]; routes: string[]; neighbours: string[] } {
    const index = this.shim?.index;
    return {
      addresses: this.addressTable.filter((one) => one.index === index).map(({ cidr }) => cidr.address),
      routes: this.routeTable
        .filter((one) => one.index === index)
        .map(({ dst, source }) => `${dst.address} from ${source ?? '-'}`)
        .toSorted(),
      neighbours: this.neighbourTable
        .filter((one) => one.index === index)
        .map(({ address, mac: of }) => `${address} ${of ?? '-'}`)
        .toSorted(),
    };
  }

  tell(notice: HostNotice): void {
    this.side?.notice(notice);
  }

  setAddress(address: Ipv4, index = UPLINK): void {
    const cidr: Cidr<Ipv4> = { address, prefix: 24 };
    this.#pushAddress(index, cidr);
    this.tell({ kind: 'address', gone: false, index, cidr });
  }

  #pushAddress(index: number, cidr: Cidr<Ipv4>): void {
    this.addressTable.push({ index, cidr, scope: 0, secondary: false });
  }

  dropAddress(address: Ipv4, index: number = UPLINK): void {
    const found = this.addressTable.find((one) => one.index === index && one.cidr.address === address);
    if (found === undefined) throw new Error(`no ${address}`);
    this.addressTable = this.addressTable.filter((one) => one !== found);
    // The kernel takes routes with this source along, in silence (fib_sync_down_addr).
    if (!this.addressTable.some(({ cidr }) => cidr.address === address))
      this.routeTable = this.routeTable.filter(({ source }) => source !== address);
    this.tell({ kind: 'address', gone: true, index, cidr: found.cidr });
  }

  removeLink(index: number): void {
    const gone = this.linkTable.filter((one) => one.index === index || one.masterIndex === index);
    for (const { index: at, name } of gone) {
      this.linkTable = this.linkTable.filter((one) => one.index !== at);
      this.addressTable = this.addressTable.filter((one) => one.index !== at);
      this.routeTable = this.routeTable.filter((one) => one.index !== at);
      this.neighbourTable = this.neighbourTable.filter((one) => one.index !== at);
      this.tell({ kind: 'link', gone: true, index: at, name, up: false, lowerUp: false });
    }
  }

  rename(index: number, name: string): void {
    const link = this.linkTable.find((one) => one.index === index);
    if (link === undefined) throw new Error(`no interface ${index}`);
    link.name = name;
    this.tell({ kind: 'link', gone: false, index, name, up: link.up, lowerUp: link.lowerUp });
  }

  removeRoute(to: string): void {
    const found = this.routeTable.find(({ dst }) => dst.address === to);
    if (found === undefined) throw new Error(`no route to ${to}`);
    this.routeTable = this.routeTable.filter((one) => one !== found);
    this.tell({ kind: 'route', gone: true, ...found });
  }

  links(): Promise<readonly HostLink[]> {
    return Promise.resolve(this.linkTable.map((link) => ({ ...link })));
  }

  peek(name: string): HostLink | undefined {
    return this.linkTable.find((link) => link.name === name);
  }

  addresses(): Promise<readonly HostAddress[]> {
    return Promise.resolve(this.addressTable);
  }

  routes(index: number): Promise<readonly HostRoute[]> {
    return Promise.resolve(this.routeTable.filter((one) => one.index === index));
  }

  allRoutes(): Promise<readonly HostRoute[]> {
    this.routeReads += 1;
    return Promise.resolve([...this.routeTable]);
  }

  neighbour(index: number, address: Ipv4): Promise<HostNeighbour | undefined> {
    return Promise.resolve(this.neighbourTable.find((one) => one.index === index && one.address === address));
  }

  neighbours(index: number): Promise<readonly HostNeighbour[]> {
    return Promise.resolve(this.neighbourTable.filter((one) => one.index === index));
  }

  rules(): Promise<readonly HostRule[]> {
    return this.refuseRules === undefined
      ? Promise.resolve([...this.ruleTable])
      : Promise.reject(this.refuseRules);
  }

  createShim(spec: Parameters<HostKernel['createShim']>[0]): Promise<void> {
    if (this.peek(spec.name) !== undefined) return Promise.reject(new SysError('RTM_NEWLINK', 'EEXIST'));
    this.shims += 1;
    const index = this.#nextIndex++;
    const below = this.linkTable.find((link) => link.index === spec.masterIndex);
    // The kernel puts a macvlan on a macvlan on the device below that.
    const masterIndex = below?.kind === 'macvlan' ? below.masterIndex : spec.masterIndex;
    this.linkTable.push({
      ...spec,
      masterIndex,
      index,
      kind: 'macvlan',
      macvlanMode: 'bridge',
      up: false,
      lowerUp: true,
    });
    this.tell({ kind: 'link', gone: false, index, name: spec.name, up: false, lowerUp: true });
    return Promise.resolve();
  }

  deleteLink(index: number): Promise<void> {
    this.removeLink(index);
    return Promise.resolve();
  }

  apply(changes: readonly HostChange[]): Promise<readonly (SysError | undefined)[]> {
    return Promise.resolve(
      changes.map((change) => {
        if (this.refuse !== undefined) return this.refuse;
        return this.#apply(change);
      }),
    );
  }

  removeRule(rule: HostRule): void {
    this.ruleTable.splice(this.ruleTable.indexOf(rule), 1);
    this.tell({ kind: 'rule', gone: true, ...rule });
  }

  #applyRule({ kind, ...name }: Extract<HostChange, { does: string }>): SysError | undefined {
    const rule = { ...name, protocol: RTPROT_LEASEHOLD };
    if (kind === 'put-rule') this.ruleTable.push(rule);
    else this.ruleTable = this.ruleTable.filter((one) => !isDeepStrictEqual(one, rule));
    this.tell({ kind: 'rule', gone: kind === 'remove-rule', ...rule });
    return undefined;
  }

  #apply(change: HostChange): SysError | undefined {
    if ('does' in change) return this.#applyRule(change);
    const { index } = change;
    const link = this.linkTable.find((one) => one.index === index);
    if (link === undefined) return new SysError(change.kind, 'ENODEV');
    switch (change.kind) {
      case 'set-link': {
        const { up, mtu, mac: to, alias } = change;
        if (up === true && link.mac !== undefined && this.takenMacs.has(link.mac))
          return new SysError('RTM_NEWLINK', 'EADDRINUSE');
        Object.assign(link, JSON.parse(JSON.stringify({ up, mtu, mac: to, alias })));
        return undefined;
      }
      case 'add-address':
        this.#pushAddress(index, { address: change.address, prefix: HOST_PREFIX });
        return undefined;
      case 'remove-address':
        this.dropAddress(change.cidr.address, index);
        return undefined;
      case 'put-route': {
        if (!link.up) return new SysError('RTM_NEWROUTE', 'ENETDOWN');
        const dst = { address: change.to, prefix: HOST_PREFIX };
        this.routeTable = this.routeTable.filter((one) => one.dst.address !== change.to);
        this.routeTable.push({ dst, index, source: change.source, protocol: RTPROT_LEASEHOLD });
        return undefined;
      }
      case 'remove-route':
        this.routeTable = this.routeTable.filter((one) => one.dst.address !== change.to);
        return undefined;
      case 'put-neighbour':
        this.#removeNeighbour(index, change.address);
        this.neighbourTable.push({ index, address: change.address, mac: change.mac, permanent: true });
        return undefined;
      case 'remove-neighbour':
        this.#removeNeighbour(index, change.address);
        return undefined;
    }
  }

  #removeNeighbour(index: number, address: Ipv4): void {
    this.neighbourTable = this.neighbourTable.filter((one) => one.address !== address || one.index !== index);
  }

  readSysctl({ family, ifname, key }: Parameters<HostKernel['readSysctl']>[0]): string | undefined {
    return this.sysctls.get(`${family} ${ifname} ${key}`) ?? '0';
  }

  writeSysctl({ family, ifname, key }: Parameters<HostKernel['readSysctl']>[0], value: string): void {
    this.sysctls.set(`${family} ${ifname} ${key}`, value);
  }

  key(name: string): AttachmentKey {
    return { containerId: name, network: 'lan', ifname: 'eth0' };
  }

  /** Lets what is under way come to its end, and `ms` pass. */
  pass = (ms: number): Promise<void> => this.time.run(ms);
}

/** The MAC address of the pod that has this address, as the tests' pods are made. */
function macOf(address: Ipv4): Mac {
  const last = Number(address.split('.').at(-1)).toString(16).padStart(2, '0');
  return mac(`de:00:00:00:00:${last}`);
}
