import { heldBy, isSameToServer } from '../protocol/dhcp4/state.ts';
import type { LeaseClient } from './client.ts';
import type { PodNamespace } from './ports.ts';
import type { LeaseRecord } from './record.ts';

/**
 * Who of `clients` lives by the address or under the name that a RELEASE for `record` would take away; `but` is who
 * asks. An identifier means something within its network, an address within its LAN.
 */
export function userOf(
  clients: Iterable<LeaseClient>,
  record: Pick<LeaseRecord, 'config' | 'key' | 'lan' | 'state'>,
  but?: LeaseClient,
): LeaseClient | undefined {
  const address = heldBy(record.state)?.address.address;
  for (const client of clients) {
    if (client === but) continue;
    if (isSameClient(client, record)) return client;
    const theirs = heldBy(client.state)?.address.address;
    const sameLan = client.identity.lan?.name === record.lan?.name;
    if (address !== undefined && theirs === address && sameLan) return client;
  }
  return undefined;
}

/** Another one of the same identity: to the server the two are one client, which has one address. */
export function twinOf(clients: Iterable<LeaseClient>, one: LeaseClient): LeaseClient | undefined {
  for (const client of clients) if (client !== one && isSameClient(client, one.identity)) return client;
  return undefined;
}

function isSameClient({ identity }: LeaseClient, other: Pick<LeaseRecord, 'config' | 'key'>): boolean {
  return identity.key.network === other.key.network && isSameToServer(identity.config, other.config);
}

/** Whether one of `clients` has the MAC address of `record` on the same LAN. */
export function hasMac(
  clients: Iterable<LeaseClient>,
  { link, lan }: Pick<LeaseRecord, 'link' | 'lan'>,
): boolean {
  for (const { identity } of clients)
    if (identity.link.mac === link.mac && identity.lan?.name === lan?.name) return true;
  return false;
}

/** With the state as it is, and not only what has to survive of it: a server may hold what was only asked for. */
export function whole(client: LeaseClient): LeaseRecord {
  return { ...client.identity, state: client.state };
}

/** Whether a request is for the interface that a client serves: of the same namespace, in this boot. */
export function isSame(
  client: LeaseClient,
  request: {
    readonly pod: Pick<PodNamespace, 'inode'>;
    readonly link: Pick<LeaseRecord['link'], 'index' | 'mac'>;
  },
  bootId: string,
): boolean {
  const { netns, link } = client.identity;
  return (
    client.identity.bootId === bootId &&
    netns.inode === request.pod.inode &&
    link.index === request.link.index &&
    link.mac === request.link.mac
  );
}
