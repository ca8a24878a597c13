import type { Mac } from '../base/mac.ts';
import { err, ok, type Result } from '../base/result.ts';
import { isSysError, SysError } from '../base/sys-error.ts';
import { between, later, millis } from '../base/time.ts';
import type { Lease4 } from '../protocol/dhcp4/lease.ts';
import { type Dhcp4Config, heldBy } from '../protocol/dhcp4/state.ts';
import { type AcquireFailure, LeaseClient } from './client.ts';
import { Inbox } from './inbox.ts';
import type { DhcpDefaults, LeaseWorld, LinkState, PodNamespace } from './ports.ts';
import { keyText, type LeaseKey, type LeaseRecord, RECORD_SCHEMA } from './record.ts';

/** A RELEASE that waits for ARP may hold up a DEL this long, no longer. */
const DRAIN_LIMIT = millis(500);
const CARRIER_POLL = millis(50);

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

  constructor(world: LeaseWorld, defaults: DhcpDefaults) {
    this.#world = world;
    this.#defaults = defaults;
    this.#inbox = new Inbox(world.openTap, (event) => world.count(event));
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
    if (known?.lease !== undefined && isSame(known, request)) return ok(known.lease);
    if (known !== undefined) await this.release(request.key);

    const started = this.#world.clock.now();
    if (!(await this.#carrier(request, signal))) {
      return err(signal.aborted ? { kind: 'cancelled' } : { kind: 'no-carrier' });
    }
    const client = this.#newClient(request);
    this.#clients.set(text, client);
    const left = millis(this.#defaults.deadline - between(started, this.#world.clock.now()));
    const acquired = await client.acquire(left, signal);
    const failure = acquired.ok ? await this.#store(client, signal) : acquired.error;
    if (failure === undefined && acquired.ok) return acquired;
    await this.#giveBack(client, request.pod);
    return err(failure ?? { kind: 'cancelled' });
  }

  #newClient(request: AcquireRequest): LeaseClient {
    const { key, netnsPath, pod, link, owned, uplinkIndex } = request;
    if (uplinkIndex !== undefined) this.#inbox.listen(uplinkIndex);
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
    return new LeaseClient(this.#world, this.#inbox, identity, { kind: 'init' });
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

  /** RELEASE from the address that is given back, which is put on the interface for the moment if it is not there. */
  async #giveBack(client: LeaseClient, pod: PodNamespace): Promise<void> {
    const { key, link } = client.identity;
    const held = heldBy(client.state);
    try {
      if (held !== undefined) await pod.ensureAddress(link.index, held.address);
      client.dispatch({ type: 'release' });
      const sent = await client.drain(DRAIN_LIMIT);
      if (!sent) this.#releaseLost(client, 'the server did not answer ARP');
      if (held !== undefined) await pod.removeAddress(link.index, held.address);
    } catch (error) {
      if (!isSysError(error)) throw error;
      this.#releaseLost(client, error.message);
    } finally {
      await this.#forget(key, client);
    }
  }

  #releaseLost(client: LeaseClient, why: string): void {
    this.#world.count('release-lost');
    const address = client.lease?.address.address;
    this.#world.log.warn(
      { lease: keyText(client.identity.key), address, why },
      'the lease could not be released; the server keeps it until it expires',
    );
  }

  async #forget(key: LeaseKey, client: LeaseClient): Promise<void> {
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
   * logged and counted. False when there was no such lease.
   */
  async release(key: LeaseKey): Promise<boolean> {
    const client = this.#clients.get(keyText(key));
    if (client === undefined) return false;
    let pod: PodNamespace | undefined;
    try {
      pod = this.#world.openPod(client.identity.netns.path);
      if (pod.inode !== client.identity.netns.inode) throw goneError(client);
      await this.#giveBack(client, pod);
    } catch (error) {
      if (!isSysError(error)) throw error;
      this.#releaseLost(client, error.message);
      await this.#forget(key, client);
    } finally {
      pod?.close();
    }
    return true;
  }

  /** Takes up a stored lease: its timers go on. Records of an earlier boot have no interface any more. */
  resume(record: LeaseRecord): void {
    const client = new LeaseClient(this.#world, this.#inbox, record, record.state);
    this.#clients.set(keyText(record.key), client);
    if (record.bootId !== this.#world.clock.bootId) return;
    if (record.uplinkIndex !== undefined) {
      try {
        this.#inbox.listen(record.uplinkIndex);
      } catch (error) {
        if (!isSysError(error)) throw error;
        this.#world.log.warn(
          { lease: keyText(record.key), error: error.message },
          'the uplink of a lease is gone',
        );
      }
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

function isSame(client: LeaseClient, request: AcquireRequest): boolean {
  const { netns, link } = client.identity;
  return (
    netns.inode === request.pod.inode && link.index === request.link.index && link.mac === request.link.mac
  );
}

function goneError(client: LeaseClient): SysError {
  return new SysError(
    `open ${client.identity.netns.path}`,
    'ENOENT',
    'the pod is gone, another namespace is there',
  );
}
