import type { Ipv4 } from '../base/ipv4.ts';
import type { Mac } from '../base/mac.ts';
import { isSysError } from '../base/sys-error.ts';
import { hasEnded } from '../protocol/dhcp4/lease.ts';
import { leaseOf } from '../protocol/dhcp4/state.ts';
import type { LeaseClient } from './client.ts';
import { lookAt } from './host-release.ts';
import type { Inbox } from './inbox.ts';
import { isLongAbsence, type LanChange, Lans } from './lans.ts';
import { Pacer } from './pacer.ts';
import { openPodOf } from './pod-of-lease.ts';
import { PodLinks } from './pod-links.ts';
import type { LeaseWorld, LinkMaker, PodLinkChange, PodNamespace } from './ports.ts';
import { keyText, type LeaseIdentity, type LeaseRecord } from './record.ts';
import { Relinks } from './relink.ts';
import { Rounds } from './rounds.ts';
import { SleepWatch } from './sleep-watch.ts';
import { type Seen, Suspicions } from './suspicions.ts';
import { locate } from './take-up.ts';
import { unstoredChange } from './unstored.ts';

/** What many leases want to send at once, after a restart or when a cable is back, goes out one after another. */
const PACE = { perSecond: 50, mostWaiting: 65_536 };

/** What the keeper needs of the manager. */
export interface Herd {
  clients(): Iterable<LeaseClient>;
  withMac(mac: Mac): Iterable<LeaseClient>;
  has(client: LeaseClient): boolean;
  /** The same lease goes on under another identity. */
  replace(client: LeaseClient, identity: LeaseIdentity): Promise<LeaseClient>;
  /** Forgets the lease; its RELEASE is sent from the host. */
  releaseFromHost(client: LeaseClient, why: string): Promise<void>;
}

/**
 * Looks after the leases of running pods: takes them up after a restart, notices when a pod or its address is gone or
 * its LAN is back.
 */
export class Keeper {
  readonly #world: LeaseWorld;
  readonly #inbox: Inbox;
  readonly #herd: Herd;
  readonly #pacer: Pacer;
  readonly #rounds: Rounds<LeaseClient>;
  readonly #lans: Lans;
  /** LANs that were looked at as leases were taken up, by index. */
  readonly #found = new Set<number>();
  readonly #relinks: Relinks;
  readonly #sleep: SleepWatch;
  /** Whose turn after they were disconnected is still to come, with `verify`: one turn, however often the link flaps. */
  readonly #reconnected = new Map<LeaseClient, boolean>();
  readonly #suspicions: Suspicions;
  readonly #podLinks: PodLinks;
  #started = false;
  /** Seen once without their namespace or interface. */
  readonly #missing = new WeakSet<LeaseClient>();

  constructor(world: LeaseWorld, inbox: Inbox, herd: Herd, maker: LinkMaker | undefined) {
    this.#world = world;
    this.#inbox = inbox;
    this.#herd = herd;
    this.#pacer = new Pacer(world, PACE);
    this.#rounds = new Rounds(
      world,
      () => this.#beginRound(),
      (client) => this.#visit(client),
    );
    this.#suspicions = new Suspicions(world, (client) => this.#look(client));
    this.#podLinks = new PodLinks(world, {
      ...herd,
      gone: (client) => this.suspect(client),
      upAgain: (client) => client.restore('routes'),
    });
    this.#lans = new Lans(world.clock, {
      up: (index, verify) => this.#lanIsUp(index, verify),
      gone: () => this.#rounds.soon(),
    });
    this.#sleep = new SleepWatch(world.clock);
    this.#relinks = new Relinks(world, maker, this.#pacer, {
      ...herd,
      listen: (uplinkIndex, lease) => this.#listen(uplinkIndex, lease),
    });
  }

  /** From now on the pods are looked at regularly; to be called when all stored leases are taken up. */
  start(): void {
    this.#started = true;
    this.#rounds.start();
  }

  /**
   * Takes up the lease of a pod after a restart: what is missing in the pod is put back, the timers go on, and what is
   * overdue is done in its turn. If the pod is gone, or the node was rebooted, the lease is released. `clientFor` makes the
   * client of what is known of the lease.
   */
  async takeUp(record: LeaseRecord, clientFor: (known: LeaseRecord) => LeaseClient): Promise<void> {
    const found = locate(this.#world, record);
    const lacksAddress = found.kind === 'there' && !found.link.hasAddress;
    const unstored = lacksAddress ? await unstoredChange(this.#world, record) : undefined;
    const client = clientFor(unstored ?? record);
    const { identity } = client;
    const lease = keyText(identity.key);
    switch (found.kind) {
      case 'rebooted':
        await this.#herd.releaseFromHost(client, 'the node was rebooted');
        return;
      case 'namespace-gone':
      case 'link-gone':
        if (found.kind === 'link-gone' && this.#relinks.attend(client)) {
          client.resume();
          return;
        }
        this.#world.count('pod-gone');
        await this.#herd.releaseFromHost(client, `the pod is gone (${found.kind})`);
        return;
      case 'unseen':
        this.#world.log.warn(
          { lease, why: found.why },
          'the pod of a lease cannot be seen; the lease goes on',
        );
        break;
      case 'there':
        break;
    }
    this.#listen(identity.uplinkIndex, lease);
    this.#find(identity.lan);
    client.resume();
    if (found.kind === 'there') {
      void this.follow(client);
      this.#podLinks.seen(client, found.link.up);
    }
    if (unstored !== undefined) {
      this.#world.count('unstored-address');
      this.#world.log.warn(
        { lease, stored: addressIn(record), address: addressIn(unstored) },
        'a pod has another address than its stored lease, as when a disk was full: it keeps it, and the server is asked',
      );
      client.storeNow();
    } else if (!lacksAddress || client.lease === undefined) return;
    else client.restore('address');
    // It may have been taken away, or given, by what came just before the end of the earlier run.
    this.pace(() => client.reconnected(true));
  }

  /** Without a carrier as the daemon starts: that it comes back has to be noticed. Once for all pods of a LAN. */
  #find(lan: LeaseIdentity['lan']): void {
    if (lan === undefined || this.#found.has(lan.index)) return;
    this.#found.add(lan.index);
    const link = lookAt(this.#world.frames, lan.name);
    if (!link.ok || link.value.index !== lan.index) return;
    this.#lans.found(lan.index, link.value.up && link.value.lowerUp);
  }

  #listen(uplinkIndex: number | undefined, lease: string): void {
    try {
      if (uplinkIndex !== undefined) this.#inbox.listen(uplinkIndex);
    } catch (error) {
      if (!isSysError(error)) throw error;
      this.#world.log.warn({ lease, error: error.message }, 'the uplink of a lease is gone');
    }
  }

  /** In its turn, among all that wants to be sent at the same moment. */
  pace(work: () => void): void {
    if (this.#pacer.add('lease', work) === undefined) work();
  }

  /** The same for what may be left out where too much of it waits. */
  paceAnnouncement(work: () => void): void {
    this.#pacer.add('announcement', work);
  }

  /** An interface of the node changed. */
  linkChanged(change: LanChange): void {
    this.#lans.changed(change);
    this.#relinks.linkChanged(change);
  }

  /** A link of some pod changed, of those that are followed; undefined: perhaps several did. */
  podLinkChanged(change: PodLinkChange | undefined): void {
    if (change === undefined) this.#rounds.soon();
    else this.#podLinks.changed(change);
  }

  /** From now on changes of this pod's links are told, in its namespace if that is open. Never rejects. */
  async follow(client: LeaseClient, open?: PodNamespace): Promise<void> {
    try {
      if (open !== undefined) {
        await open.follow();
        return;
      }
      const pod = openPodOf(this.#world, client.identity);
      try {
        await pod.follow();
      } finally {
        pod.close();
      }
    } catch (error) {
      if (!isSysError(error)) throw error;
      // Then the rounds have to find out that it is gone, or that its link is down and up again.
      this.#world.count('pod-not-followed');
    }
  }

  /** Something that was to be done for a running pod failed, or its link was removed: is it there? */
  suspect(client: LeaseClient | undefined): void {
    if (this.#started && client !== undefined) this.#suspicions.raise(client);
  }

  #lanIsUp(index: number, verify: boolean): void {
    for (const client of this.#herd.clients())
      if (client.identity.lan?.index === index) this.#isBack(client, verify);
  }

  #isBack(client: LeaseClient, verify: boolean): void {
    const waiting = this.#reconnected.get(client);
    this.#reconnected.set(client, verify || waiting === true);
    if (waiting === undefined) this.pace(() => this.#reconnect(client));
  }

  #reconnect(client: LeaseClient): void {
    const verify = this.#reconnected.get(client) === true;
    this.#reconnected.delete(client);
    client.reconnected(verify);
  }

  /** Whom it looks at. A sleep of more than a round is noticed at once, for the round is overdue then; a shorter one with the next. */
  #beginRound(): readonly LeaseClient[] {
    const clients = [...this.#herd.clients()];
    const slept = this.#sleep.slept();
    if (slept === undefined) return clients;
    this.#world.count('machine-slept');
    this.#world.log.info({ seconds: Math.round(slept / 1000) }, 'the machine slept: addresses are asked for');
    const now = this.#world.clock.now();
    for (const client of clients) {
      // One that has ended takes nobody's turn: its own timer is overdue, and withdraws it.
      const { lease } = client;
      if (lease !== undefined && !hasEnded(lease, now)) this.#isBack(client, isLongAbsence(slept));
    }
    return clients;
  }

  /** One pod of a round. */
  #visit(client: LeaseClient): void {
    const seen = this.#look(client);
    if (seen === 'missing') this.#suspicions.raise(client, 'half-a-second');
    else if (seen === 'there') client.again();
  }

  /** Is the pod there, and does it have what its lease says? Two looks must agree that it is gone. */
  #look(client: LeaseClient): Seen {
    if (!this.#herd.has(client)) return 'gone';
    if (!client.settled) return 'busy';
    const found = locate(this.#world, client.record());
    const awaitsUplink = found.kind === 'link-gone' && this.#relinks.attend(client);
    const gone = found.kind === 'namespace-gone' || (found.kind === 'link-gone' && !awaitsUplink);
    const seenBefore = this.#missing.has(client);
    if (!gone) this.#missing.delete(client);
    else if (!seenBefore) this.#missing.add(client);
    if (found.kind === 'there') {
      this.#podLinks.seen(client, found.link.up);
      if (client.lease !== undefined && !found.link.hasAddress) client.restore('address');
    }
    if (!gone) return 'there';
    if (!seenBefore) return 'missing';
    this.#world.count('pod-gone');
    this.#world.log.warn(
      { lease: keyText(client.identity.key), found: found.kind },
      'a pod went away without a DEL; its lease is released',
    );
    void this.#herd.releaseFromHost(client, 'the pod went away without a DEL');
    return 'gone';
  }

  close(): void {
    this.#rounds.stop();
    this.#suspicions.close();
    this.#podLinks.close();
    this.#pacer.close();
    this.#reconnected.clear();
  }
}

/** What the pod has by this record. */
function addressIn({ state, adopting }: LeaseRecord): Ipv4 | undefined {
  return (leaseOf(state)?.address ?? adopting)?.address;
}
