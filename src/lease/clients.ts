import type { Mac } from '../base/mac.ts';
import { isSameToServer } from '../protocol/dhcp4/state.ts';
import type { LeaseClient } from './client.ts';
import { keyText, type LeaseIdentity } from './record.ts';

type Party = Pick<LeaseIdentity, 'config' | 'key'>;

/**
 * All clients, one for each attachment, and found by what of an identity others have to be compared with: each ADD asks for
 * that, and to look through a thousand pods for it would make it the slower the more there are.
 */
export class Clients {
  readonly #byKey = new Map<string, LeaseClient>();
  readonly #byMac = new Index<Mac>();
  readonly #byNamespace = new Index<string>();
  readonly #byName = new Index<string>();

  get size(): number {
    return this.#byKey.size;
  }

  /** By the text of the key. */
  get(text: string): LeaseClient | undefined {
    return this.#byKey.get(text);
  }

  has(client: LeaseClient): boolean {
    return this.#byKey.get(keyText(client.identity.key)) === client;
  }

  values(): MapIterator<LeaseClient> {
    return this.#byKey.values();
  }

  /** In the place of the one that its attachment had. */
  add(client: LeaseClient): void {
    const { key, link, netns } = client.identity;
    const text = keyText(key);
    const before = this.#byKey.get(text);
    if (before !== undefined) this.delete(before);
    this.#byKey.set(text, client);
    this.#byMac.add(link.mac, client);
    this.#byNamespace.add(netns.inode, client);
    for (const name of namesOf(client.identity)) this.#byName.add(name, client);
  }

  /** Nothing when another one has its place. */
  delete(client: LeaseClient): void {
    if (!this.has(client)) return;
    const { key, link, netns } = client.identity;
    this.#byKey.delete(keyText(key));
    this.#byMac.delete(link.mac, client);
    this.#byNamespace.delete(netns.inode, client);
    for (const name of namesOf(client.identity)) this.#byName.delete(name, client);
  }

  clear(): void {
    this.#byKey.clear();
    for (const index of [this.#byMac, this.#byNamespace, this.#byName]) index.clear();
  }

  /** Those whose interface has this MAC address. */
  withMac(mac: Mac): Iterable<LeaseClient> {
    return this.#byMac.of(mac);
  }

  /** Whether one is in the network namespace of this inode. */
  isIn(inode: string): boolean {
    return this.#byNamespace.has(inode);
  }

  /** Another one of the same identity: to the server the two are one client, which has one address. */
  twinOf(one: Party, but?: LeaseClient): LeaseClient | undefined {
    const { clientId, chaddr } = one.config;
    for (const client of this.#byName.of(clientId ?? chaddr)) {
      const { key, config } = client.identity;
      if (client !== but && key.network === one.key.network && isSameToServer(config, one.config))
        return client;
    }
    return undefined;
  }
}

/** What a server may know a client by: an identifier is hex, and never like a MAC address. */
function namesOf({ config: { clientId, chaddr } }: Party): readonly string[] {
  return clientId === undefined || clientId === chaddr ? [chaddr] : [clientId, chaddr];
}

/** Clients by something that several may have in common. */
class Index<K> {
  readonly #sets = new Map<K, Set<LeaseClient>>();

  add(key: K, client: LeaseClient): void {
    const set = this.#sets.get(key);
    if (set === undefined) this.#sets.set(key, new Set([client]));
    else set.add(client);
  }

  delete(key: K, client: LeaseClient): void {
    const set = this.#sets.get(key);
    if (set?.delete(client) === true && set.size === 0) this.#sets.delete(key);
  }

  has(key: K): boolean {
    return this.#sets.has(key);
  }

  of(key: K): Iterable<LeaseClient> {
    return this.#sets.get(key) ?? [];
  }

  clear(): void {
    this.#sets.clear();
  }
}
