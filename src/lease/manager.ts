import type { Mac } from '../base/mac.ts';
import { err, ok, type Result } from '../base/result.ts';
import { isSysError, type SysError } from '../base/sys-error.ts';
import { between, later, millis } from '../base/time.ts';
import type { Lease4 } from '../protocol/dhcp4/lease.ts';
import { type Dhcp4Config, heldBy } from '../protocol/dhcp4/state.ts';
import { type AcquireFailure, LeaseClient } from './client.ts';
import { Inbox } from './inbox.ts';
import { openPodOf } from './pod-of-lease.ts';
import type { DhcpDefaults, LeaseWorld, LinkState, PodNamespace } from './ports.ts';
import { keyText, type LeaseKey, type LeaseRecord, RECORD_SCHEMA } from './record.ts';

const CARRIER_POLL = millis(50);
/** Measured: with more pods on a node, a broadcast among them takes the kernel longer than a hop between threads. */
const FEW_PODS = 16;

export type AcquireRequest = {
  readonly key: LeaseKey;
  readonly netnsPath: string;
  readonly pod: PodNamespace;
  /** The interface that asks; it is up. */
  readonly link: LinkState & { readonly mac: Mac };
  /** The daemon made the link. */
  readonly owned: boolean;
  /** The uplink whose tap hears the answers; undefined where the interface is no child of one. */
  readonly uplinkIndex: number | undefined;
  readonly client: Omit<Dhcp4Config, 'chaddr'>;
};

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
  readonly #clients = new Map<string, LeaseClient>();
  readonly #isCrowded = (): boolean => this.#clients.size > FEW_PODS;

  constructor(world: LeaseWorld, defaults: DhcpDefaults) {
    this.#world = world;
    this.#defaults = defaults;
    this.#inbox = new Inbox(
      (uplinkIndex, onFrame) => world.openTap(uplinkIndex, onFrame),
      (event) => world.count(event),
    );
  }

  get size(): number {
    return this.#clients.size;
  }

  get(key: LeaseKey): ManagedLease | undefined {
    const client = this.#clients.get(keyText(key));
    return client === undefined ? undefined : { record: client.record(), lease: client.lease };
  }

  list(): readonly ManagedLease[] {
    return [...this.#clients.values()].map((client) => ({ record: client.record(), lease: client.lease }));
  }

  /**
   * A lease for this interface, stored when this resolves. A second call for the same attachment and namespace gives
   * the lease that is there. After a failure nothing is held: not here, not on disk, not at the server.
   */
  async acquire(request: AcquireRequest, signal: AbortSignal): Promise<Result<Lease4, Failure>> {
    const text = keyText(request.key);
    const known = this.#clients.get(text);
    const { bootId } = this.#world.clock;
    if (known?.lease !== undefined && isSame(known, request, bootId)) return ok(known.lease);
    if (known !== undefined) await this.release(request.key);

    const started = this.#world.clock.now();
    if (!(await this.#carrier(request, signal))) {
      return err(signal.aborted ? { kind: 'cancelled' } : { kind: 'no-carrier' });
    }
    const listening = this.#listen(request.uplinkIndex);
    if (listening !== undefined) return err({ kind: 'send-failed', error: listening });
    const client = this.#newClient(request);
    this.#clients.set(text, client);
    const left = millis(this.#defaults.deadline - between(started, this.#world.clock.now()));
    let failure: Failure | undefined;
    try {
      const acquired = await client.acquire(left, signal);
      failure = acquired.ok ? await this.#store(client, signal) : acquired.error;
      if (failure === undefined && acquired.ok) return acquired;
    } catch (error) {
      await this.#giveBack(client, request.pod);
      throw error;
    }
    await this.#giveBack(client, request.pod);
    return err(failure ?? { kind: 'cancelled' });
  }

  /** Undefined when the uplink is listened to, or there is none. */
  #listen(uplinkIndex: number | undefined): SysError | undefined {
    try {
      if (uplinkIndex !== undefined) this.#inbox.listen(uplinkIndex);
      return undefined;
    } catch (error) {
      if (isSysError(error)) return error;
      throw error;
    }
  }

  #newClient(request: AcquireRequest): LeaseClient {
    const { key, netnsPath, pod, link, owned, uplinkIndex } = request;
    // Without a tap a unicast answer to an address that nobody has yet would reach nobody.
    const broadcast = uplinkIndex === undefined ? 'always' : request.client.broadcast;
    const identity = {
      schema: RECORD_SCHEMA,
      key,
      bootId: this.#world.clock.bootId,
      netns: { path: netnsPath, inode: pod.inode },
      link: { index: link.index, mac: link.mac, owned },
      uplinkIndex,
      config: { ...request.client, broadcast, chaddr: link.mac },
    } as const;
    return new LeaseClient(this.#world, this.#inbox, identity, { kind: 'init' }, this.#isCrowded);
  }

  /** The lease is on disk before anybody is told of it. */
  async #store(client: LeaseClient, signal: AbortSignal): Promise<Failure | undefined> {
    try {
      await this.#world.store.put(client.record());
    } catch (error) {
      if (isSysError(error)) return { kind: 'not-stored', error };
      throw error;
    }
    return signal.aborted ? { kind: 'cancelled' } : undefined;
  }

  /** Waits for the carrier: a port that is only just plugged in loses everything that is sent before. */
  async #carrier({ pod, link }: AcquireRequest, signal: AbortSignal): Promise<boolean> {
    const { clock, timers } = this.#world;
    const until = later(clock.now(), this.#defaults.carrierWait);
    let current: LinkState | undefined = link;
    while (current !== undefined && !current.lowerUp) {
      if (signal.aborted || clock.now() >= until) return false;
      await new Promise<void>((resolve) => timers.at(later(clock.now(), CARRIER_POLL), resolve));
      current = await pod.link(link.name);
    }
    return current !== undefined;
  }

  /** Ends a client and what it holds. Whatever happens, it is forgotten. */
  async #giveBack(client: LeaseClient, pod: PodNamespace, linkGoes = false): Promise<void> {
    const address = heldBy(client.state)?.address.address;
    try {
      const lost = await client.giveBack(pod, linkGoes);
      if (lost !== undefined) this.#releaseLost(client, address, lost);
    } catch (error) {
      if (!isSysError(error)) throw error;
      this.#world.log.warn(
        { lease: keyText(client.identity.key), address, error: error.message },
        'the address of a released lease could not be removed',
      );
    } finally {
      await this.#forget(client);
    }
  }

  #releaseLost(client: LeaseClient, address: string | undefined, why: string): void {
    this.#world.count('release-lost');
    this.#world.log.warn(
      { lease: keyText(client.identity.key), address, why },
      'the lease could not be released; the server keeps it until it expires',
    );
  }

  async #forget(client: LeaseClient): Promise<void> {
    const { key } = client.identity;
    await client.close();
    if (this.#clients.get(keyText(key)) === client) this.#clients.delete(keyText(key));
    try {
      await this.#world.store.remove(client.record());
    } catch (error) {
      if (!isSysError(error)) throw error;
      this.#world.log.warn(
        { lease: keyText(key), error: error.message },
        'the stored lease could not be removed',
      );
    }
  }

  /**
   * Gives the lease back: RELEASE while the address is still there. Never fails: what cannot be told to the server is
   * logged and counted. `linkGoes`: the caller removes the link next. False when there was no such lease.
   */
  async release(key: LeaseKey, linkGoes = false): Promise<boolean> {
    const client = this.#clients.get(keyText(key));
    if (client === undefined) return false;
    let pod: PodNamespace;
    try {
      pod = openPodOf(this.#world, client.identity);
    } catch (error) {
      if (!isSysError(error)) throw error;
      this.#releaseLost(client, heldBy(client.state)?.address.address, error.message);
      await this.#forget(client);
      return true;
    }
    try {
      await this.#giveBack(client, pod, linkGoes);
    } finally {
      pod.close();
    }
    return true;
  }

  /**
   * Takes up a stored lease: its timers go on, and what is overdue is done. A record of an earlier boot has no
   * interface any more and its instants mean nothing: it is only kept for the DEL that will come.
   */
  resume(record: LeaseRecord): void {
    const client = new LeaseClient(this.#world, this.#inbox, record, record.state, this.#isCrowded);
    this.#clients.set(keyText(record.key), client);
    if (record.bootId !== this.#world.clock.bootId) return;
    const gone = this.#listen(record.uplinkIndex);
    if (gone !== undefined) {
      const lease = keyText(record.key);
      this.#world.log.warn({ lease, error: gone.message }, 'the uplink of a lease is gone');
    }
    client.resume();
  }

  /** Ends without a word to the servers: the leases go on in the pods and on disk. */
  async close(): Promise<void> {
    await Promise.all([...this.#clients.values()].map((client) => client.close()));
    this.#clients.clear();
    this.#inbox.close();
  }
}

/** The same interface of the same namespace, in this boot. */
function isSame(client: LeaseClient, request: AcquireRequest, bootId: string): boolean {
  const { netns, link } = client.identity;
  return (
    client.identity.bootId === bootId &&
    netns.inode === request.pod.inode &&
    link.index === request.link.index &&
    link.mac === request.link.mac
  );
}
