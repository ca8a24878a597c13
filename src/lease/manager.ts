import type { Cidr } from '../base/cidr.ts';
import type { Ipv4 } from '../base/ipv4.ts';
import type { Mac } from '../base/mac.ts';
import { err, ok, type Result } from '../base/result.ts';
import { isSysError, type SysError } from '../base/sys-error.ts';
import { between, type Duration, millis } from '../base/time.ts';
import type { Lease4 } from '../protocol/dhcp4/lease.ts';
import type { Dhcp4State } from '../protocol/dhcp4/state.ts';
import { Allowance, BESIDE_PER_SECOND, SIBLINGS_ASKED_PER_SECOND } from './allowance.ts';
import { Announcer } from './announcer.ts';
import { Claims } from './claims.ts';
import { LeaseClient } from './client.ts';
import { Clients } from './clients.ts';
import { validFor } from './configuration.ts';
import { type Debt, Debts } from './debts.ts';
import { ForcedRenewals } from './forced-renewals.ts';
import { Inbox } from './inbox.ts';
import { Keeper } from './keeper.ts';
import type { LanChange } from './lans.ts';
import { hintFor } from './past.ts';
import { listenFor } from './arp-question.ts';
import { carrierComes, comes } from './patience.ts';
import type { DhcpDefaults, LeaseWorld, LinkMaker, PodLinkChange } from './ports.ts';
import { keyText, type LeaseIdentity, type LeaseKey, type LeaseRecord } from './record.ts';
import { type AcquireRequest, identityOf, isSamePlace } from './request.ts';
import { Releases } from './releases.ts';
import { ServerNotes } from './server-notes.ts';
import type { LanSightings } from './server-sightings.ts';
import { Strangers } from './strangers.ts';
import { hasMac, userOf } from './sharing.ts';
import type { AcquireFailure } from './waiter.ts';
import { Ways } from './ways.ts';

export type Failure =
  | AcquireFailure
  | { readonly kind: 'no-carrier' }
  | { readonly kind: 'not-stored'; readonly error: SysError };

export type ManagedLease = { readonly record: LeaseRecord; readonly lease: Lease4 | undefined };

/** All leases of this node: one client each, by attachment. */
export class LeaseManager {
  readonly #world: LeaseWorld;
  readonly #defaults: DhcpDefaults;
  readonly #inbox: Inbox;
  readonly #clients = new Clients();
  readonly #notes: ServerNotes;
  readonly #ways: Ways;
  readonly #beside: Allowance;
  readonly #strangers: Strangers;
  readonly #siblingsAsked: Allowance;
  readonly #claims: Claims;
  readonly #debts: Debts;
  readonly #releases: Releases;
  readonly #keeper: Keeper;
  readonly #announcer: Announcer;
  readonly #forced: ForcedRenewals;

  /** Without a `maker`, no link is made again that went away with its uplink: its lease is given back. */
  constructor(world: LeaseWorld, defaults: DhcpDefaults, maker?: LinkMaker) {
    this.#world = world;
    this.#defaults = defaults;
    this.#inbox = new Inbox(
      (uplinkIndex, onFrame) => world.openTap(uplinkIndex, onFrame),
      (event) => world.count(event),
      world,
      (heard, toMac) => this.#forced.hear(heard, toMac),
    );
    this.#notes = new ServerNotes(world);
    this.#ways = new Ways(world, this.#inbox);
    this.#beside = new Allowance(world.clock, BESIDE_PER_SECOND);
    const identities = () => this.#clients.values().map(({ identity }) => identity);
    this.#strangers = new Strangers(world, identities);
    this.#siblingsAsked = new Allowance(world.clock, SIBLINGS_ASKED_PER_SECOND);
    this.#claims = new Claims(world, this.#clients);
    this.#debts = new Debts(world, this.#inbox, {
      isInUse: (record) => userOf(this.#clients, record) !== undefined,
      hasMac: (record) => hasMac(this.#clients, record),
    });
    this.#releases = new Releases(world, this.#clients, this.#notes, this.#debts);
    this.#keeper = new Keeper(
      world,
      this.#inbox,
      {
        clients: () => this.#clients.values(),
        withMac: (mac) => this.#clients.withMac(mac),
        has: (client) => this.#clients.has(client),
        replace: (client, identity) => this.#replace(client, identity),
        releaseFromHost: (client, why) => this.#releases.fromHost(client, why),
      },
      maker,
    );
    const find = (key: LeaseKey): LeaseClient | undefined => this.#clients.get(keyText(key));
    this.#forced = new ForcedRenewals(world, this.#clients, (work) => this.#keeper.pace(work));
    this.#announcer = new Announcer(world, find, (work) => this.#keeper.paceAnnouncement(work));
  }

  get size(): number {
    return this.#clients.size;
  }

  /** RELEASEs that a server has still to be told. */
  get owed(): number {
    return this.#debts.size;
  }

  /** The same, one by one. */
  debts(): readonly Debt[] {
    return this.#debts.list();
  }

  /** Whether an interface of the network namespace with this inode has a lease, or is getting one. */
  isIn(inode: string): boolean {
    return this.#clients.isIn(inode);
  }

  get(key: LeaseKey): ManagedLease | undefined {
    const client = this.#clients.get(keyText(key));
    return client === undefined ? undefined : { record: client.record(), lease: client.lease };
  }

  /** What is stored of an attachment of this boot: its lease, or that its RELEASE is still owed. */
  recordOf(key: LeaseKey): LeaseRecord | undefined {
    const record = this.#clients.get(keyText(key))?.record() ?? this.#debts.recordOf(key);
    return record?.bootId === this.#world.clock.bootId ? record : undefined;
  }

  /** How long a lease is good for from now on; undefined: for ever. */
  leftOf(lease: Lease4): Duration | undefined {
    return validFor(lease, this.#world.clock.now());
  }

  list(): readonly ManagedLease[] {
    return [...this.#clients.values()].map((client) => ({ record: client.record(), lease: client.lease }));
  }

  /** Which DHCP servers were heard by the pods of this node, per interface. */
  servers(): readonly LanSightings[] {
    return this.#notes.sightings();
  }

  /** Says on the LAN that a pod has the address of its lease now. */
  announce(key: LeaseKey): void {
    this.#announcer.announce(key);
  }

  /** Waits until there is a lease; undefined when there is none in time. */
  awaitLease(key: LeaseKey, limit: Duration): Promise<Lease4 | undefined> {
    return comes(this.#world, () => this.#clients.get(keyText(key))?.lease, limit);
  }

  /**
   * A lease for this interface, stored when this resolves; undefined on a network that is IPv6 only (RFC 8925). A
   * second call for the same attachment and namespace gives the lease that is there. After a failure nothing is held:
   * not here, not on disk, not at the server.
   */
  async acquire(request: AcquireRequest, signal: AbortSignal): Promise<Result<Lease4 | undefined, Failure>> {
    const known = this.#clients.get(keyText(request.key));
    const { bootId } = this.#world.clock;
    if (known?.lease !== undefined && isSamePlace(known.identity, request, bootId)) return ok(known.lease);
    if (known !== undefined) await this.release(request.key);
    await this.#debts.forget(request.key);

    const started = this.#world.clock.now();
    if (!(await carrierComes(this.#world, request, this.#defaults.carrierWait, signal))) {
      return err(signal.aborted ? { kind: 'cancelled' } : { kind: 'no-carrier' });
    }
    const listening = this.#listen(request.uplinkIndex);
    if (listening !== undefined) return err({ kind: 'send-failed', error: listening });
    const client = this.#newClient(identityOf(request, this.#world), { kind: 'init', last: undefined });
    const twin = this.#clients.twinOf(client.identity, client);
    if (twin !== undefined) this.#notes.twins(keyText(request.key), keyText(twin.identity.key));
    const left = millis(this.#defaults.deadline - between(started, this.#world.clock.now()));
    let failure: Failure | undefined;
    try {
      const acquired = await client.acquire(left, signal, hintFor(this.#world, client.identity));
      failure = acquired.ok ? await this.#store(client, signal) : acquired.error;
      if (failure === undefined && acquired.ok) {
        void this.#keeper.follow(client, request.pod);
        return acquired;
      }
    } catch (error) {
      await this.#releases.giveUp(client, request.pod);
      throw error;
    }
    await this.#releases.giveUp(client, request.pod);
    return err(failure ?? { kind: 'cancelled' });
  }

  /**
   * Takes over an address that the interface has from another DHCP client: the server is asked for it (INIT-REBOOT),
   * and what it says is done in the running pod. Stored when this resolves. False when this attachment has a lease
   * already. Rejects with SysError when it cannot be stored: then nothing has changed.
   */
  async adopt(request: AcquireRequest, present: Cidr<Ipv4>): Promise<boolean> {
    const text = keyText(request.key);
    // What is owed in the name of a pod that lives would take its lease away.
    if (this.#clients.get(text) === undefined) await this.#debts.forget(request.key);
    if (this.#clients.get(text) !== undefined) return false;
    this.#listen(request.uplinkIndex);
    const client = this.#newClient(identityOf(request, this.#world), {
      kind: 'init',
      last: present.address,
    });
    client.adopt(present);
    try {
      await this.#world.store.put(client.record());
    } catch (error) {
      await client.close();
      this.#clients.delete(client);
      throw error;
    }
    this.#keeper.pace(() => client.begin());
    void this.#keeper.follow(client);
    return true;
  }

  /** Undefined when the uplink is listened to, or there is none. */
  #listen(index: number | undefined): SysError | undefined {
    return index === undefined ? undefined : listenFor(this.#inbox, { index });
  }

  #newClient(
    identity: LeaseIdentity,
    state: Dhcp4State,
    earlier: Pick<LeaseRecord, 'leftovers' | 'adopting' | 'leasedFrom'> = {},
  ): LeaseClient {
    const parts = {
      world: this.#world,
      inbox: this.#inbox,
      notes: this.#notes,
      ways: this.#ways,
      suspect: (key: LeaseKey) => this.#keeper.suspect(this.#clients.get(keyText(key))),
      claims: this.#claims,
      beside: this.#beside,
      strangers: this.#strangers,
      forced: this.#forced,
      siblingsAsked: this.#siblingsAsked,
      isSibling: (address: Mac, but: LeaseIdentity) => this.#claims.isSibling(address, but),
      announced: (key: LeaseKey) => this.#announcer.again(key),
      pace: (work: () => void) => this.#keeper.pace(work),
    };
    const client = new LeaseClient(parts, identity, state, earlier);
    this.#clients.add(client);
    return client;
  }

  /** The same lease goes on under another identity. Nothing else may be done for its attachment meanwhile. */
  async #replace(client: LeaseClient, identity: LeaseIdentity): Promise<LeaseClient> {
    await client.close();
    const record = client.record();
    // On the new interface there is nothing of an earlier time.
    return this.#newClient(identity, record.state, { leasedFrom: record.leasedFrom });
  }

  /** The lease is on disk before anybody is told of it. */
  async #store(client: LeaseClient, signal: AbortSignal): Promise<Failure | undefined> {
    try {
      await this.#world.store.put(client.record());
    } catch (error) {
      this.#world.count('store-failed');
      if (isSysError(error)) return { kind: 'not-stored', error };
      throw error;
    }
    return signal.aborted ? { kind: 'cancelled' } : undefined;
  }

  /**
   * Gives the lease back: RELEASE while the address is still there, else from the host, later if it must be. Never
   * fails. `linkGoes`: the caller removes the link next. False when there was no such lease.
   */
  async release(key: LeaseKey, linkGoes = false): Promise<boolean> {
    const client = this.#clients.get(keyText(key));
    if (client === undefined) return false;
    await this.#releases.release(client, linkGoes);
    return true;
  }

  /** Takes up what an earlier run stored: a lease, or a RELEASE that is still owed. */
  async resume(record: LeaseRecord): Promise<void> {
    this.#debts.hold();
    if (record.owner === 'gone') this.#debts.resume(record);
    else await this.#keeper.takeUp(record, (known) => this.#newClient(known, known.state, known));
  }

  /** To be called when all stored leases are taken up: from then on debts are settled. */
  settleDebts(): void {
    this.#debts.begin();
  }

  /** The same, and from then on the pods are looked after. */
  watch(): void {
    this.settleDebts();
    this.#keeper.start();
  }

  /** An interface of the node changed. */
  linkChanged(change: LanChange): void {
    this.#keeper.linkChanged(change);
    if (change.up && change.lowerUp) this.#debts.linkUp(change.index);
  }

  /** A link of some pod changed (see `PodNamespace.follow`); undefined: changes may have been missed. */
  podLinkChanged(change: PodLinkChange | undefined): void {
    this.#keeper.podLinkChanged(change);
  }

  /** Ends without a word to the servers: the leases go on in the pods and on disk. */
  async close(): Promise<void> {
    this.#keeper.close();
    this.#announcer.close();
    await Promise.all([...this.#clients.values()].map((client) => client.close()));
    this.#clients.clear();
    await this.#debts.close();
    this.#inbox.close();
    this.#notes.close();
  }
}
