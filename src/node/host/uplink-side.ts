import type { Ipv4 } from '../../base/ipv4.ts';
import type { Mac } from '../../base/mac.ts';
import { isSysError, SysError } from '../../base/sys-error.ts';
import { type Duration, later, millis, seconds } from '../../base/time.ts';
import { ChangeQueue } from './change-queue.ts';
import { Hosts } from './hosts.ts';
import { NodeAddresses } from './node-addresses.ts';
import { contestedBy, isDisturbance, isOldNews } from './disturbance.ts';
import { LookTimer } from './look-timer.ts';
import { foreignAddresses, ownAddresses, planShim, type ShimSeen, type ShimWanted } from './plan.ts';
import type { HostChange, HostLink, InterfaceNotice } from './ports.ts';
import type { UplinkRecord } from './record.ts';
import { RepairBook, type Repairs } from './repairs.ts';
import { findShim, makeShim, shimAlias } from './shim.ts';
import { SysctlKeeper } from './sysctl-keeper.ts';
import { restoreSysctls } from './sysctls.ts';
import type { HostWorld } from './world.ts';

/** After a look that failed; doubled each time. */
const FIRST_RETRY: Duration = millis(250);
const LAST_RETRY: Duration = seconds(30);

/** Whose pod it is that has an address, by the name of its attachment, and the MAC address that it is behind. */
export type HostClaim = { readonly owner: string; readonly mac: Mac };

export interface UplinkSideOwner {
  readonly repairs: Repairs;
  /** The record changed: on disk when it resolves. */
  save(record: UplinkRecord): Promise<void>;
  /** The shim is as it should be; `isNew`: it, or its uplink, is another device than before, which the guard names. */
  shimReady(side: UplinkSide, isNew: boolean): Promise<void>;
}

export type UplinkStatus = {
  readonly name: string;
  readonly shim: string;
  /** There and up. */
  readonly ready: boolean;
  readonly addresses: readonly Ipv4[];
  readonly pods: number;
  /** Addresses on the shim that others put there. */
  readonly foreign: readonly string[];
  readonly problem: string | undefined;
};

/**
 * One uplink's part of the node: its shim with the node's addresses, and a route and a neighbour for each pod. Looks at
 * the kernel when something of that was changed by others, and mends it. Changes are made one batch after another.
 */
export class UplinkSide {
  readonly #world: HostWorld;
  readonly #owner: UplinkSideOwner;
  #record: UplinkRecord;
  readonly #hosts = new Hosts();
  readonly #addresses = new NodeAddresses();
  readonly #book: RepairBook;
  readonly #sysctls: SysctlKeeper;
  #uplink: number | undefined;
  /** The uplink at the last look that came to its end. */
  #seenUplink: HostLink | undefined;
  #shim: number | undefined;
  /** Uplink and shim at the last look, by index and name. */
  #devices = '';
  readonly #queue: ChangeQueue;
  /** Pods to whom others have made a route. */
  readonly #contested = new Set<Ipv4>();
  #running: Promise<void> | undefined;
  #lookWanted = false;
  readonly #timer: LookTimer;
  #retry: Duration = FIRST_RETRY;
  #problem: string | undefined;
  #foreign: readonly string[] = [];
  #closed = false;

  constructor(world: HostWorld, owner: UplinkSideOwner, record: UplinkRecord) {
    this.#world = world;
    this.#owner = owner;
    this.#record = record;
    this.#queue = new ChangeQueue(world.kernel);
    this.#timer = new LookTimer(world, () => {
      this.#lookWanted = true;
      void this.#run();
    });
    this.#book = new RepairBook(world, owner.repairs, record.uplink);
    this.#sysctls = new SysctlKeeper(world, this.#book, {
      mayRepair: (item) => this.#mayRepair(item),
      look: () => this.look(),
    });
  }

  get name(): string {
    return this.#record.uplink;
  }

  get shimName(): string {
    return this.#record.shim.name;
  }

  get shimMac(): Mac {
    return this.#record.shim.mac;
  }

  /** Undefined: it is not there. */
  get shimIndex(): number | undefined {
    return this.#shim;
  }

  get isReady(): boolean {
    return this.#shim !== undefined;
  }

  has(index: number): boolean {
    return index === this.#shim;
  }

  status(): UplinkStatus {
    return {
      name: this.name,
      shim: this.shimName,
      ready: this.isReady,
      addresses: this.#addresses.current,
      pods: this.#hosts.macs.size,
      foreign: this.#foreign,
      problem: this.#problem,
    };
  }

  /** The shim is there when this resolves. Rejects with the SysError that keeps it from being made. */
  async ensure(): Promise<void> {
    if (this.#shim !== undefined) return;
    this.#lookWanted = true;
    await this.#run();
    if (this.#shim === undefined) {
      throw new SysError(`make ${this.shimName}`, 'ENODEV', this.#problem ?? `${this.name} is gone`);
    }
  }

  /** A pod that the node is to reach: in the kernel when this resolves. Rejects with SysError. */
  async addHost(address: Ipv4, { owner, mac }: HostClaim): Promise<void> {
    this.#hosts.claim(address, owner, mac);
    await this.ensure();
    const index = this.#shim;
    if (index === undefined || this.#hosts.macs.get(address) !== mac) return;
    const source = this.#addresses.source;
    await this.#enqueue([
      { kind: 'put-route', index, to: address, source },
      { kind: 'put-neighbour', index, address, mac },
      ...(this.#uplink === undefined ? [] : [this.#forgetAstray(address, this.#uplink)]),
    ]);
    this.#book.made(`route to ${address}`, `neighbour ${address}`);
  }

  /**
   * Without its route the node looked for the pod on the uplink, where nobody answers. What waits there for ARP would
   * wait for its end, three seconds, and TCP sends nothing anew that has not left the host.
   */
  #forgetAstray(address: Ipv4, uplink: number): HostChange {
    return { kind: 'remove-neighbour', index: uplink, address };
  }

  /** Known before a look, without one of its own: for a start with many pods. */
  expectHost(address: Ipv4, { owner, mac }: HostClaim): void {
    this.#hosts.claim(address, owner, mac);
  }

  /** No error for what is gone already. Another pod that has the address as well has it from then on. */
  async removeHost(address: Ipv4, owner: string): Promise<void> {
    if (!this.#hosts.has(address, owner)) return;
    const before = this.#hosts.macs.get(address);
    const mac = this.#hosts.release(address, owner);
    const index = this.#shim;
    if (mac === undefined) this.#book.unmade(`route to ${address}`, `neighbour ${address}`);
    if (index === undefined || mac === before) return;
    await this.#enqueue(
      mac === undefined
        ? [
            { kind: 'remove-route', index, to: address },
            { kind: 'remove-neighbour', index, address },
          ]
        : [{ kind: 'put-neighbour', index, address, mac }],
    );
  }

  /** Something changed on the node; looks at what it was when it concerns this uplink. */
  notice(notice: InterfaceNotice): void {
    if (isOldNews(notice, this.#seenUplink, this.#world.kernel)) return;
    const contested = contestedBy(notice, { shim: this.#shim, hosts: this.#hosts.macs });
    if (contested !== undefined) this.#contested.add(contested);
    const { wanted, source } = this.#addresses;
    const view = {
      uplink: { name: this.name, index: this.#uplink },
      shim: { name: this.shimName, index: this.#shim },
      hosts: this.#hosts.macs,
      addresses: wanted,
      source,
    };
    if (contested !== undefined || isDisturbance(notice, view)) this.look();
  }

  /** Soon, with what else happens in this moment. */
  look(): void {
    this.#timer.soon();
  }

  /** One worker: what came while it was busy is done with it. Never rejects. */
  #run(): Promise<void> {
    this.#running ??= this.#work().finally(() => {
      this.#running = undefined;
      // Between the last test of the worker and here something may have come.
      if (this.#hasWork) void this.#run();
    });
    return this.#running;
  }

  get #hasWork(): boolean {
    return !this.#closed && (this.#lookWanted || !this.#queue.isEmpty);
  }

  async #work(): Promise<void> {
    while (this.#hasWork) {
      if (this.#lookWanted) {
        this.#lookWanted = false;
        await this.#tryLook();
      }
      await this.#queue.flush();
    }
  }

  async #enqueue(changes: readonly HostChange[]): Promise<void> {
    const done = this.#queue.add(changes);
    void this.#run();
    await done;
  }

  async #tryLook(): Promise<void> {
    this.#timer.looked();
    this.#seenUplink = undefined;
    try {
      await this.#lookNow();
      this.#problem = undefined;
      this.#retry = FIRST_RETRY;
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Said once, tried again. A fault on one uplink must not end the daemon, and with it all leases. */
  #failed(error: unknown): void {
    const problem = isSysError(error) ? error.message : unexpected(error);
    if (this.#problem !== problem) {
      const fields = { uplink: this.name, shim: this.shimName, error: problem };
      this.#world.log.error(fields, "the node's side of an uplink cannot be set up; it is tried again");
    }
    this.#problem = problem;
    this.#world.count('host-repair-failed');
    this.#timer.at(later(this.#world.clock.now(), this.#retry));
    this.#retry = millis(Math.min(this.#retry * 2, LAST_RETRY));
  }

  async #lookNow(): Promise<void> {
    const { kernel, clock } = this.#world;
    const links = await kernel.links();
    const uplink = links.find(({ name }) => name === this.name);
    this.#uplink = uplink?.index;
    if (uplink === undefined) {
      // The shim went with it; when it is back the kernel says so.
      this.#shim = undefined;
      this.#foreign = [];
      return;
    }
    const all = await kernel.addresses();
    const { source } = this.#addresses;
    this.#addresses.update(
      all.filter(({ index }) => index === uplink.index),
      clock.now(),
    );
    // Routes with another source are what is wanted now, and not what others broke.
    if (this.#addresses.source !== source) {
      this.#book.unmade(...[...this.#hosts.macs.keys()].map((to) => `route to ${to}`));
    }
    const { nextEnd } = this.#addresses;
    if (nextEnd !== undefined) this.#timer.at(nextEnd);
    const found = findShim(links, uplink, this.#record.shim);
    const link = found ?? (await this.#make(links, uplink));
    if (link === undefined) return;
    await this.#take(link);
    await this.#mend(uplink, link, { addresses: all.filter(({ index }) => index === link.index) });
    this.#seenUplink = uplink;
  }

  /** Undefined when it is left alone for a while, because somebody removes it again and again. */
  async #make(links: readonly HostLink[], uplink: HostLink): Promise<HostLink | undefined> {
    const item = 'the shim';
    this.#shim = undefined;
    if (!this.#mayRepair(item)) return undefined;
    const link = await makeShim(this.#world.kernel, links, uplink, this.#record.shim);
    this.#book.note(item);
    return link;
  }

  /** After the loss of its record, or when somebody gave it another name, the shim is recognized by its alias. */
  async #take(link: HostLink): Promise<void> {
    this.#shim = link.index;
    const { mac, name } = this.#record.shim;
    if (link.name !== name) await this.#save({ ...this.#record, shim: { name: link.name, mac } });
  }

  async #mend(uplink: HostLink, link: HostLink, { addresses }: Pick<ShimSeen, 'addresses'>): Promise<void> {
    const { kernel } = this.#world;
    await this.#setSysctls(uplink, link);
    const [routes, neighbours] = await Promise.all([
      kernel.routes(link.index),
      kernel.neighbours(link.index),
    ]);
    const own = await this.#ownAddresses(addresses);
    const seen: ShimSeen = { link, addresses, own, routes, neighbours };
    this.#foreign = foreignAddresses(seen);
    const wanted = { ...this.#wanted(uplink), contested: new Set(this.#contested) };
    this.#contested.clear();
    const steps = planShim(wanted, seen).filter(({ item }) => this.#mayRepair(item));
    const changes = steps.map(({ change }) => change);
    const astray = changes.flatMap((change) =>
      change.kind === 'put-route' ? [this.#forgetAstray(change.to, uplink.index)] : [],
    );
    const outcomes = await kernel.apply([...changes, ...astray]);
    for (const [at, { item, ends }] of steps.entries()) {
      if (outcomes[at] !== undefined) continue;
      if (ends === true) this.#book.unmade(item);
      else this.#book.note(item);
    }
    this.#book.report();
    const failed = outcomes.find((error) => error !== undefined);
    if (failed !== undefined) throw failed;
    // Below 1280 the kernel takes IPv6 off an interface, and gives it back, switched on.
    if (changes.some((change) => change.kind === 'set-link' && change.mtu !== undefined)) {
      await this.#setSysctls(uplink, link);
    }
    // The kernel takes routes along with an address or a link, in silence and perhaps after this look.
    if (steps.length > 0) this.look();
    this.#sysctls.watch(uplink.name, link.name);
    const devices = `${uplink.index} ${link.index} ${link.name}`;
    const isNew = devices !== this.#devices;
    this.#devices = devices;
    await this.#owner.shimReady(this, isNew);
  }

  #wanted(uplink: HostLink): Omit<ShimWanted, 'contested'> {
    const { wanted: addresses, source } = this.#addresses;
    const { mac } = this.#record.shim;
    const { mtu, up } = uplink;
    return { mac, mtu, up, alias: shimAlias(this.name), addresses, source, hosts: this.#hosts.macs };
  }

  /** Addresses that we put on the shim, or are about to: first on disk, so that no run takes ours for somebody else's. */
  async #ownAddresses(there: ShimSeen['addresses']): Promise<readonly Ipv4[]> {
    const known = this.#record.addresses ?? [];
    const own = ownAddresses(this.#addresses.wanted, known, there);
    if (own.join() !== known.join()) await this.#save({ ...this.#record, addresses: own });
    return own;
  }

  async #setSysctls(uplink: HostLink, link: HostLink): Promise<void> {
    const record = this.#sysctls.saving(this.#record, uplink);
    // First on disk, then changed: else a crash between the two would lose what was there.
    if (record !== this.#record) await this.#save(record);
    this.#sysctls.write(uplink.name, link.name);
  }

  async #save(record: UplinkRecord): Promise<void> {
    this.#record = record;
    await this.#owner.save(record);
  }

  /** False while this is left to whoever changes it back all the time; then it is looked at again later. */
  #mayRepair(item: string): boolean {
    const at = this.#book.notBefore(item);
    if (at !== undefined) this.#timer.at(at);
    return at === undefined;
  }

  /** Takes away all that was made, and puts back what was changed. */
  async remove(): Promise<void> {
    await this.close();
    const { kernel, clock } = this.#world;
    const links = await kernel.links();
    const uplink = links.find(({ name }) => name === this.name);
    if (uplink === undefined) return;
    const link = findShim(links, uplink, this.#record.shim);
    if (link !== undefined) await kernel.deleteLink(link.index);
    restoreSysctls(kernel, this.#record, { bootId: clock.bootId, index: uplink.index });
  }

  /** Leaves all as it is: pods live on. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer.close();
    this.#sysctls.close();
    await this.#running;
    this.#queue.reject(new SysError(`set up ${this.shimName}`, 'ECANCELED', 'the daemon stops'));
  }
}

function unexpected(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
