import assert from 'node:assert/strict';
import { cidr } from '../../src/base/cidr.ts';
import { ipv4, type Ipv4 } from '../../src/base/ipv4.ts';
import { type Mac, mac } from '../../src/base/mac.ts';
import { SysError } from '../../src/base/sys-error.ts';
import { later, millis, seconds } from '../../src/base/time.ts';
import { Debts, type DebtsWorld } from '../../src/lease/debts.ts';
import type { ArpEars } from '../../src/lease/arp-question.ts';
import type { HostFrames } from '../../src/lease/ports.ts';
import { keyText, type LeaseRecord, RECORD_SCHEMA } from '../../src/lease/record.ts';
import type { Lease4 } from '../../src/protocol/dhcp4/lease.ts';
import { type ArpPacket, parseArpFrame } from '../../src/wire/arp.ts';
import { type Udp4Frame, parseUdp4Frame } from '../../src/wire/ip/udp4.ts';
import { VirtualTime } from './support/time.ts';

export const LAN = { index: 7, name: 'eth0' };
export const HOST_MAC = mac('02:00:5e:00:00:01');
export const SERVER = ipv4('192.168.2.1');
export const SERVER_MAC = mac('02:00:5e:00:00:fe');
export const ADDRESS = ipv4('192.168.2.130');
export const POD_MAC = mac('02:00:5e:10:00:01');
export const CLIENT_ID = '00706f64';
const LATENCY = millis(2);
export const LEASE_TIME = seconds(7200);

type Link = NonNullable<ReturnType<HostFrames['link']>>;
type Watcher = Parameters<ArpEars['watchArp']>[1];

/** The daemon's side of a LAN whose hosts answer ARP, with a disk: what debts and the RELEASE from the host need. */
export class OwedLan implements DebtsWorld, ArpEars {
  readonly time: VirtualTime;
  readonly links = new Map<string, Link>();
  /** Who answers ARP on the LAN. */
  readonly hosts = new Map<Ipv4, Mac>([[SERVER, SERVER_MAC]]);
  /** Macvlans on the LAN's interface that are up. */
  readonly children = new Set<Mac>();
  filterError: SysError | undefined;
  /** How often a link was looked at. */
  looks = 0;
  readonly questions: ArpPacket[] = [];
  readonly releases: (Udp4Frame & { readonly at: number })[] = [];
  readonly disk = new Map<string, LeaseRecord>();
  readonly journal: string[] = [];
  readonly counts = new Map<string, number>();
  readonly logged: string[] = [];
  readonly #watchers = new Map<Ipv4, Set<Watcher>>();
  readonly protect = [];
  /** Thrown as it is: a SysError of the kernel, or a bug. */
  listenError: Error | undefined;
  lookError: SysError | undefined;
  sendError: SysError | undefined;
  storeError: SysError | undefined;

  constructor(bootId = 'boot-1') {
    this.time = new VirtualTime(bootId);
    this.setLink({});
  }

  get clock(): VirtualTime {
    return this.time;
  }

  get timers(): VirtualTime {
    return this.time;
  }

  random = (): number => 0.5;

  setLink(change: Partial<Link>): void {
    const link = { ...LAN, mac: HOST_MAC, mtu: 1500, up: true, lowerUp: true, ...change };
    this.links.set(link.name, link);
  }

  readonly frames: HostFrames = {
    link: (name) => {
      this.looks += 1;
      if (this.lookError !== undefined) throw this.lookError;
      return this.links.get(name);
    },
    send: (ifindex, frame) => {
      if (this.sendError !== undefined) return this.sendError;
      const link = [...this.links.values()].find(({ index }) => index === ifindex);
      if (link === undefined) return new SysError(`send on #${ifindex}`, 'ENXIO');
      const arp = parseArpFrame(frame);
      if (arp.ok) this.#asked(arp.value, ifindex);
      else this.#released(frame);
      return undefined;
    },
  };

  async childMacs(ifindex: number): Promise<readonly Mac[]> {
    await Promise.resolve();
    if (this.filterError !== undefined) throw this.filterError;
    return ifindex === LAN.index ? [...this.children] : [];
  }

  #asked(packet: ArpPacket, ifindex: number): void {
    this.questions.push(packet);
    const { targetIp, senderMac, senderIp } = packet;
    // A tap sees what its own interface sends.
    this.hear(packet, ifindex);
    const owner = this.hosts.get(targetIp);
    if (owner === undefined) return;
    this.time.at(later(this.time.now(), LATENCY), () =>
      this.hear(
        { op: 'reply', senderMac: owner, senderIp: targetIp, targetMac: senderMac, targetIp: senderIp },
        ifindex,
      ),
    );
  }

  #released(frame: Uint8Array): void {
    const datagram = parseUdp4Frame(frame, { checksumReady: true });
    assert.ok(datagram.ok);
    this.releases.push({ ...datagram.value, at: this.time.now() });
  }

  /** As the inbox hands it on. */
  hear(packet: ArpPacket, ifindex = LAN.index): void {
    const about = packet.senderIp === '0.0.0.0' ? packet.targetIp : packet.senderIp;
    for (const watcher of this.#watchers.get(about) ?? []) watcher(packet, ifindex);
  }

  get watched(): number {
    return [...this.#watchers.values()].reduce((sum, { size }) => sum + size, 0);
  }

  listen(): void {
    if (this.listenError !== undefined) throw this.listenError;
  }

  watchArp(address: Ipv4, watcher: Watcher): () => void {
    const watchers = this.#watchers.get(address) ?? new Set();
    this.#watchers.set(address, watchers.add(watcher));
    return () => void watchers.delete(watcher);
  }

  readonly store: DebtsWorld['store'] = {
    put: (record) => this.#write('put', record, () => this.disk.set(keyText(record.key), record)),
    remove: (record) => this.#write('remove', record, () => this.disk.delete(keyText(record.key))),
  };

  async #write(what: string, record: LeaseRecord, work: () => void): Promise<void> {
    if (this.storeError !== undefined) throw this.storeError;
    this.journal.push(`${what} ${record.key.containerId}`);
    if (what === 'put') work();
    await Promise.resolve();
    if (what === 'remove') work();
  }

  readonly log = {
    debug: (): void => undefined,
    info: (_fields: object, message: string): void => void this.logged.push(message),
    warn: (_fields: object, message: string): void => void this.logged.push(`warn: ${message}`),
  };

  count(event: string): void {
    this.counts.set(event, (this.counts.get(event) ?? 0) + 1);
  }

  lease(overrides: Partial<Lease4> = {}): Lease4 {
    const now = this.time.now();
    return {
      address: { ...cidr('192.168.2.130/24'), address: ADDRESS },
      serverId: SERVER,
      acquiredAt: now,
      times: {
        renewAt: later(now, millis(LEASE_TIME * 0.5)),
        rebindAt: later(now, millis(LEASE_TIME * 0.875)),
        expiresAt: later(now, LEASE_TIME),
      },
      routers: [SERVER],
      routes: [],
      dnsServers: [],
      domainName: undefined,
      domainSearch: [],
      mtu: undefined,
      refusedRoutes: [],
      malformed: [],
      remarks: [],
      ...overrides,
    };
  }

  /** The record of a pod that is gone. */
  record(name = 'pod', overrides: Partial<LeaseRecord> = {}): LeaseRecord {
    return {
      schema: RECORD_SCHEMA,
      key: { containerId: name, network: 'lan', ifname: 'eth0' },
      bootId: this.time.bootId,
      netns: { path: `/run/netns/${name}`, inode: '4026531840' },
      link: { index: 12, mac: POD_MAC, owned: true },
      uplinkIndex: LAN.index,
      lan: LAN,
      apply: { metric: undefined, routes: 'all', table: undefined, mtu: true },
      conflictCheck: 'off',
      remember: false,
      owner: 'pod',
      config: {
        chaddr: POD_MAC,
        clientId: CLIENT_ID,
        requestedAddress: undefined,
        parameterRequest: [1, 3, 6],
        send: {},
        servers: [],
        relays: [],
        ipv6Only: false,
        rapidCommit: false,
        broadcast: 'auto',
      },
      state: { kind: 'bound', lease: this.lease() },
      ...overrides,
    };
  }
}

export type Scene = {
  readonly lan: OwedLan;
  readonly debts: Debts;
  readonly inUse: Set<string>;
  readonly macs: Set<Mac>;
};

export function scene(options: { readonly most?: number; readonly lan?: OwedLan } = {}): Scene {
  const { lan = new OwedLan(), ...bound } = options;
  const inUse = new Set<string>();
  const macs = new Set<Mac>();
  const isInUse = ({ key }: LeaseRecord): boolean => inUse.has(key.containerId);
  return {
    lan,
    debts: new Debts(lan, lan, { isInUse, hasMac: ({ link }) => macs.has(link.mac), ...bound }),
    inUse,
    macs,
  };
}

/** Nothing is left of it: not in memory, not on disk, no timer, nobody who watches ARP. */
export function assertNothingLeft({ lan, debts }: Scene): void {
  assert.deepEqual(
    { size: debts.size, disk: [...lan.disk.keys()], timers: lan.time.pending, watched: lan.watched },
    { size: 0, disk: [], timers: 0, watched: 0 },
  );
}
