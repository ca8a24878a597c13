import { heldBy } from '../protocol/dhcp4/state.ts';
import type { LeaseClient } from './client.ts';
import type { Clients } from './clients.ts';
import type { LeaseRecord } from './record.ts';

/**
 * Who of `clients` lives by the address or under the name that a RELEASE for `record` would take away; `but` is who
 * asks. An identifier means something within its network, an address within its LAN.
 */
export function userOf(
  clients: Clients,
  record: Pick<LeaseRecord, 'config' | 'key' | 'lan' | 'state'>,
  but?: LeaseClient,
): LeaseClient | undefined {
  const twin = clients.twinOf(record, but);
  if (twin !== undefined) return twin;
  const address = heldBy(record.state)?.address.address;
  for (const client of clients.values()) {
    if (client === but) continue;
    const theirs = heldBy(client.state)?.address.address;
    const sameLan = client.identity.lan?.name === record.lan?.name;
    if (address !== undefined && theirs === address && sameLan) return client;
  }
  return undefined;
}

/** Whether one of `clients` has the MAC address of `record` on the same LAN. */
export function hasMac(clients: Clients, { link, lan }: Pick<LeaseRecord, 'link' | 'lan'>): boolean {
  for (const { identity } of clients.withMac(link.mac)) if (identity.lan?.name === lan?.name) return true;
  return false;
}

/** With the state as it is, and not only what has to survive of it: a server may hold what was only asked for. */
export function whole(client: LeaseClient): LeaseRecord {
  return { ...client.identity, state: client.state };
}
