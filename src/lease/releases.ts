import { isSysError } from '../base/sys-error.ts';
import { heldBy } from '../protocol/dhcp4/state.ts';
import type { LeaseClient } from './client.ts';
import type { Clients } from './clients.ts';
import type { Debts, Owing } from './debts.ts';
import { remember } from './past.ts';
import { dropRule, openPodOf } from './pod-of-lease.ts';
import type { LeaseWorld, PodNamespace } from './ports.ts';
import { keyText } from './record.ts';
import type { ServerNotes } from './server-notes.ts';
import { userOf, whole } from './sharing.ts';

/**
 * The end of a lease: the pod tells the server and loses the address, its client and its record go, and what the server
 * has not heard is owed from then on.
 */
export class Releases {
  readonly #world: LeaseWorld;
  readonly #clients: Clients;
  readonly #notes: Pick<ServerNotes, 'unreleased'>;
  readonly #debts: Pick<Debts, 'owe'>;

  constructor(
    world: LeaseWorld,
    clients: Clients,
    notes: Pick<ServerNotes, 'unreleased'>,
    debts: Pick<Debts, 'owe'>,
  ) {
    this.#world = world;
    this.#clients = clients;
    this.#notes = notes;
    this.#debts = debts;
  }

  /** After an acquisition that failed: what another pod of this node lives by is not given back. */
  async giveUp(client: LeaseClient, pod: PodNamespace): Promise<void> {
    const isUsed =
      heldBy(client.state) !== undefined && userOf(this.#clients, whole(client), client) !== undefined;
    await (isUsed ? this.#leave(client, pod, false) : this.#giveBack(client, pod));
  }

  /** Ends a client and what it holds. Whatever happens, it is forgotten; what the server has not heard stays owed. */
  async #giveBack(client: LeaseClient, pod: PodNamespace, linkGoes = false): Promise<void> {
    const address = heldBy(client.state)?.address.address;
    const record = whole(client);
    const remembered = remember(this.#world, record);
    let lost: string | undefined;
    let takenOff = false;
    try {
      lost = await client.giveBack(pod, linkGoes);
      takenOff = !linkGoes;
    } catch (error) {
      if (!isSysError(error)) throw error;
      this.#world.log.warn(
        { lease: keyText(client.identity.key), address, error: error.message },
        'the address of a released lease could not be removed',
      );
    } finally {
      await remembered;
      await this.#forget(client, lost === undefined ? undefined : { record, why: lost, takenOff });
    }
  }

  /** `owed`: what the server has still to hear. */
  async #forget(client: LeaseClient, owed: Owing | undefined): Promise<void> {
    const { key } = client.identity;
    await client.close();
    this.#clients.delete(client);
    if (owed !== undefined && this.#debts.owe(owed)) return;
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
   * Gives the lease back: RELEASE while the address is still there, else from the host, later if it must be. Never
   * fails. `linkGoes`: the caller removes the link next.
   */
  async release(client: LeaseClient, linkGoes: boolean): Promise<void> {
    const before = whole(client);
    let pod: PodNamespace;
    try {
      pod = openPodOf(this.#world, client.identity);
    } catch (error) {
      if (!isSysError(error)) throw error;
      await this.fromHost(client, error.message);
      return;
    }
    try {
      const link = client.sight(pod);
      if (link === undefined) await this.fromHost(client, 'the interface is gone');
      else if (userOf(this.#clients, whole(client), client) !== undefined)
        await this.#leave(client, pod, linkGoes);
      else if (!link.lowerUp) await this.fromHost(client, `${link.name} has no carrier`);
      else await this.#giveBack(client, pod, linkGoes);
      if (linkGoes) await dropRule(pod, before);
    } finally {
      pod.close();
    }
  }

  /** Forgets the lease; its RELEASE is sent from the host. */
  async fromHost(client: LeaseClient, why: string): Promise<void> {
    const record = whole(client);
    await Promise.all([remember(this.#world, record), this.#forget(client, { record, why })]);
  }

  /** The address goes, the lease stays: another pod of this node lives by it, under the same identity. */
  async #leave(client: LeaseClient, pod: PodNamespace, linkGoes: boolean): Promise<void> {
    const address = client.lease?.address;
    this.#notes.unreleased(keyText(client.identity.key), address?.address);
    try {
      await client.close();
      if (address !== undefined && !linkGoes) await pod.removeAddress(client.identity.link.index, address);
    } catch (error) {
      if (!isSysError(error)) throw error;
    } finally {
      await this.#forget(client, undefined);
    }
  }
}
