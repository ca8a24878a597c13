import type { Cidr } from '../../base/cidr.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import type { Mac } from '../../base/mac.ts';
import { isSysError, SysError } from '../../base/sys-error.ts';
import { later } from '../../base/time.ts';
import { announceNode } from './announce.ts';
import { AstrayLooks, forgetAstray } from './astray.ts';
import { routedNothing } from './confine.ts';
import { Hosts } from './hosts.ts';
import { KeptRecord } from './kept-record.ts';
import { NodeAddresses } from './node-addresses.ts';
import { contestedBy, isDisturbance, isOldNews } from './disturbance.ts';
import { LookTimer } from './look-timer.ts';
import { foreignAddresses, ownAddresses, planShim, type ShimSeen, type ShimWanted } from './plan.ts';
import type { HostLink, InterfaceNotice } from './ports.ts';
import type { UplinkRecord } from './record.ts';
import { RepairBook } from './repairs.ts';
import { findShim, makeShim, removeSurplus, shimAlias, surplusShims } from './shim.ts';
import type { HostClaim, UplinkSideOwner, UplinkStatus } from './side-owner.ts';
import { SideWorker } from './side-worker.ts';
import { SysctlKeeper } from './sysctl-keeper.ts';
import { TakenMacs } from './taken-macs.ts';
import { Trouble } from './trouble.ts';
import { findUplinkLink, type WayOut, waysOut } from './uplink-link.ts';
import type { HostWorld } from './world.ts';

/**
 * One uplink's part of the node: its shim with the node's addresses, and a route and a neighbour for each pod. Looks at
 * the kernel when something of that was changed by others, and mends it. Changes are made one batch after another.
 */
export class UplinkSide {
  readonly #world: HostWorld;
  readonly #owner: UplinkSideOwner<UplinkSide>;
  readonly #record: KeptRecord;
  readonly #hosts = new Hosts();
  readonly #addresses = new NodeAddresses();
  readonly #book: RepairBook;
  readonly #sysctls: SysctlKeeper;
  #uplink: number | undefined;
  /** The uplink at the last look that came to its end. */
  #seenUplink: HostLink | undefined;
  #waysOut: readonly WayOut[] = [];
  #shim: number | undefined;
  /** Why this uplink carries no shim: none is made again. */
  #unfit: { readonly uplink: number; readonly error: SysError } | undefined;
  readonly #takenMacs = new TakenMacs();
  /** Uplink and shim at the last look, by index and name. */
  #devices = '';
  readonly #worker: SideWorker;
  /** Pods to whom others have made a route. */
  readonly #contested = new Set<Ipv4>();
  readonly #timer: LookTimer;
  readonly #astray: AstrayLooks;
  readonly #trouble: Trouble;
  #foreign: readonly string[] = [];

  constructor(world: HostWorld, owner: UplinkSideOwner<UplinkSide>, record: UplinkRecord) {
    this.#world = world;
    this.#owner = owner;
    this.#record = new KeptRecord(record, (now) => owner.save(now));
    this.#worker = new SideWorker(world.kernel, () => this.#tryLook());
    this.#trouble = new Trouble(world);
    this.#timer = new LookTimer(world, () => void this.lookAgain());
    this.#astray = new AstrayLooks(world.kernel, () => this.#uplink);
    this.#book = new RepairBook(world, owner.repairs, record.uplink);
    this.#sysctls = new SysctlKeeper(world, this.#book, {
      mayRepair: (item) => this.#mayRepair(item),
      look: () => this.look(),
    });
  }

  get name(): string {
    return this.#record.now.uplink;
  }

  get shim(): UplinkRecord['shim'] {
    return this.#record.now.shim;
  }

  get shimName(): string {
    return this.#record.now.shim.name;
  }

  get shimMac(): Mac {
    return this.#record.now.shim.mac;
  }

  /** Undefined: it was away at the last look. */
  get uplinkIndex(): number | undefined {
    return this.#uplink;
  }

  /** The interfaces by which traffic of this uplink leaves the node, by name. */
  get waysOut(): readonly string[] {
    return [...new Set([this.name, ...this.#waysOut.map(({ name }) => name)])];
  }

  /** The networks of its addresses. */
  get networks(): readonly Cidr<Ipv4>[] {
    return this.#addresses.networks;
  }

  /** Undefined: it is not there. */
  get shimIndex(): number | undefined {
    return this.#shim;
  }

  get isReady(): boolean {
    return this.#shim !== undefined;
  }

  /** Whether a shim of this name is on the node, before the first look too. */
  get wasMade(): boolean {
    return this.#world.kernel.peek(this.shimName) !== undefined;
  }

  has(index: number): boolean {
    return index === this.#shim;
  }

  /** Whether this uplink passed nothing on before us. */
  get routedNothing(): boolean {
    return routedNothing(this.#record.now);
  }

  status(): UplinkStatus {
    return {
      name: this.name,
      shim: this.shimName,
      ready: this.isReady,
      addresses: this.#addresses.current,
      pods: this.#hosts.macs.size,
      foreign: this.#foreign,
      problem: this.#trouble.problem,
    };
  }

  /** The shim is there when this resolves. Rejects with the SysError that keeps it from being made. */
  async ensure(): Promise<void> {
    if (this.#shim !== undefined) return;
    await this.lookAgain();
    if (this.#shim === undefined) {
      throw new SysError(`make ${this.shimName}`, 'ENODEV', this.#trouble.problem ?? `${this.name} is gone`);
    }
  }

  /** A pod that the node is to reach: in the kernel when this resolves. Rejects with SysError. */
  async addHost(address: Ipv4, { owner, mac }: HostClaim): Promise<void> {
    this.#hosts.claim(address, owner, mac);
    await this.ensure();
    try {
      await this.#putHost(address, mac);
    } catch (error) {
      if (!isSysError(error, 'ENETDOWN', 'ENODEV')) throw error;
      // Others switched the shim off, or removed it, in this very moment: a look puts it back.
      await this.lookAgain();
      await this.#putHost(address, mac);
    }
  }

  async #putHost(address: Ipv4, mac: Mac): Promise<void> {
    const index = this.#shim;
    if (index === undefined || this.#hosts.macs.get(address) !== mac) return;
    const source = this.#addresses.source;
    await this.#worker.enqueue([
      { kind: 'put-route', index, to: address, source },
      { kind: 'put-neighbour', index, address, mac },
    ]);
    this.#book.made(`route to ${address}`, `neighbour ${address}`);
    this.#astray.add(address);
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
    await this.#worker.enqueue(
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
    const isRenamed =
      notice.kind === 'link' &&
      this.#waysOut.some(({ index, name }) => index === notice.index && name !== notice.name);
    if (contested !== undefined || isRenamed || isDisturbance(notice, view)) this.look();
  }

  /** At once: the look is over when this resolves. Never rejects. */
  lookAgain(): Promise<void> {
    return this.#worker.look();
  }

  /** Soon, with what else happens in this moment. */
  look(): void {
    this.#timer.soon();
  }

  async #tryLook(): Promise<void> {
    this.#timer.looked();
    this.#seenUplink = undefined;
    try {
      await this.#record.saveAgain();
      await this.#lookNow();
      if (this.#record.unsaved !== undefined) throw this.#record.unsaved;
      this.#trouble.over();
    } catch (error) {
      const wait = this.#trouble.met(error, { uplink: this.name, shim: this.shimName });
      this.#timer.at(later(this.#world.clock.now(), wait));
    }
  }

  async #lookNow(): Promise<void> {
    const { kernel, clock } = this.#world;
    const links = await kernel.links();
    const known = { index: this.#uplink, bootId: clock.bootId };
    const uplink = findUplinkLink(links, this.#record.now, known);
    if (uplink !== undefined && this.#owner.isTaken(uplink.index, this)) {
      throw new SysError(`set up ${this.shimName}`, 'EBUSY', `${uplink.name} is the uplink of another shim`);
    }
    this.#uplink = uplink?.index;
    if (uplink === undefined) {
      // The shim went with it; when it is back the kernel says so.
      this.#shim = undefined;
      this.#foreign = [];
      return;
    }
    this.#waysOut = waysOut(links, uplink);
    const before = this.#record.now;
    const surplus = surplusShims(links, { ...uplink, name: before.uplink }, before.shim);
    if ((await removeSurplus(this.#world, before.uplink, surplus)) === 'more') this.look();
    if (uplink.name !== before.uplink) await this.#follow(before, uplink.name);
    const all = await kernel.addresses();
    const { source } = this.#addresses;
    this.#addresses.update(
      all.filter(({ index }) => index === uplink.index),
      clock.now(),
      this.#hosts.macs.keys(),
    );
    // Routes with another source are what is wanted now, and not what others broke.
    if (this.#addresses.source !== source) {
      this.#book.unmade(...[...this.#hosts.macs.keys()].map((to) => `route to ${to}`));
    }
    const { nextEnd } = this.#addresses;
    if (nextEnd !== undefined) this.#timer.at(nextEnd);
    const found = findShim(links, uplink, this.shim);
    const link = found ?? (await this.#make(links, uplink));
    if (link === undefined) return;
    await this.#take(link);
    await this.#mend(uplink, link, { addresses: all.filter(({ index }) => index === link.index) });
    this.#seenUplink = uplink;
  }

  /** The uplink has another name: what is kept by name follows. */
  async #follow(before: UplinkRecord, uplink: string): Promise<void> {
    await this.#record.save({ uplink }, () => this.#owner.renamed(this, before));
    this.#book.renamed(uplink);
    this.#world.log.info({ uplink, before: before.uplink }, 'an uplink has another name now');
  }

  /** Undefined when it is left alone for a while, because somebody removes it again and again. */
  async #make(links: readonly HostLink[], uplink: HostLink): Promise<HostLink | undefined> {
    const item = 'the shim';
    this.#shim = undefined;
    if (!this.#mayRepair(item)) return undefined;
    if (this.#unfit?.uplink === uplink.index) throw this.#unfit.error;
    try {
      const link = await makeShim(this.#world.kernel, links, uplink, this.shim);
      this.#book.note(item);
      return link;
    } catch (error) {
      if (isSysError(error, 'EXDEV')) this.#unfit = { uplink: uplink.index, error };
      throw error;
    }
  }

  /** After the loss of its record, or when somebody gave it another name, the shim is recognized by its alias. */
  async #take(link: HostLink): Promise<void> {
    this.#shim = link.index;
    const { mac, name } = this.shim;
    if (link.name !== name) await this.#record.save({ shim: { name: link.name, mac } });
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
    const outcomes = await kernel.apply(changes);
    const led = changes.flatMap((change) => (change.kind === 'put-route' ? [change.to] : []));
    await forgetAstray(kernel, uplink.index, led);
    for (const [at, { item, ends }] of steps.entries()) {
      if (outcomes[at] !== undefined) continue;
      if (ends === true) this.#book.unmade(item);
      else this.#book.note(item);
    }
    this.#book.report();
    if (outcomes.some((error) => isSysError(error, 'EADDRINUSE')) && (await this.#changeMac())) return;
    const failed = outcomes.find((error) => error !== undefined);
    if (failed !== undefined) throw failed;
    // Below 1280 the kernel takes IPv6 off an interface, and gives it back, switched on.
    if (changes.some((change) => change.kind === 'set-link' && change.mtu !== undefined)) {
      await this.#setSysctls(uplink, link);
    }
    // The kernel takes routes along with an address or a link, in silence and perhaps after this look.
    if (steps.length > 0) this.look();
    this.#sysctls.watch(uplink.name, link.name);
    const devices = `${uplink.index} ${this.waysOut.join(' ')} ${link.index} ${link.name}`;
    const isNew = devices !== this.#devices;
    this.#devices = devices;
    await this.#owner.shimReady(this, isNew);
    const before = this.#takenMacs.over();
    const shim = { index: link.index, mac: this.shimMac, addresses: this.#addresses.wanted };
    if (isNew || before !== undefined) announceNode(this.#world, shim, this.#hosts.macs.values());
    if (before !== undefined) this.#owner.shimMacChanged(this, before);
  }

  /** False: enough of them were tried for now. */
  async #changeMac(): Promise<boolean> {
    const { name, mac } = this.shim;
    if (!this.#takenMacs.take(mac, this.#world.clock.now())) return false;
    await this.#record.save({ shim: { name, mac: this.#world.newMac() } });
    this.#world.count('shim-mac-taken');
    this.#worker.lookOnceMore();
    return true;
  }

  #wanted(uplink: HostLink): Omit<ShimWanted, 'contested'> {
    const { wanted: addresses, source } = this.#addresses;
    const { mac } = this.shim;
    const { mtu, up } = uplink;
    return { mac, mtu, up, alias: shimAlias(this.name), addresses, source, hosts: this.#hosts.macs };
  }

  /** Addresses that we put on the shim, or are about to: first on disk, so that no run takes ours for somebody else's. */
  async #ownAddresses(there: ShimSeen['addresses']): Promise<readonly Ipv4[]> {
    const known = this.#record.now.addresses ?? [];
    const own = ownAddresses(this.#addresses.wanted, known, there);
    if (own.join() !== known.join()) await this.#record.save({ addresses: own });
    return own;
  }

  async #setSysctls(uplink: HostLink, link: HostLink): Promise<void> {
    const record = this.#sysctls.saving(this.#record.now, uplink);
    // First on disk, if that takes it, then changed: else a crash between the two would lose what was there.
    if (record !== this.#record.now) await this.#record.save(record);
    this.#sysctls.write(uplink.name, link.name);
  }

  /** False while this is left to whoever changes it back all the time; then it is looked at again later. */
  #mayRepair(item: string): boolean {
    const at = this.#book.notBefore(item);
    if (at !== undefined) this.#timer.at(at);
    return at === undefined;
  }

  /** Leaves all as it is: pods live on. */
  async close(): Promise<void> {
    this.#timer.close();
    this.#sysctls.close();
    await this.#worker.close(new SysError(`set up ${this.shimName}`, 'ECANCELED', 'the daemon stops'));
  }
}
