import type { Ipv4 } from '../base/ipv4.ts';
import { leaseOf } from '../protocol/dhcp4/state.ts';
import type { LeaseWorld } from './ports.ts';
import { keyText, type LeaseIdentity, type LeaseRecord } from './record.ts';
import { storedState } from './stored.ts';

/** By its network too: an identifier that somebody wrote down may be used on several. */
function nameOf({ key, config }: LeaseIdentity): string | undefined {
  return config.clientId === undefined ? undefined : `${key.network} ${config.clientId}`;
}

/** The address to ask for again, where this client gave one back; undefined where it insists on one. */
export function hintFor(world: Pick<LeaseWorld, 'past'>, identity: LeaseIdentity): Ipv4 | undefined {
  if (!identity.remember || identity.config.requestedAddress !== undefined) return undefined;
  const name = nameOf(identity);
  return name === undefined ? undefined : world.past.get(name);
}

/**
 * Remembers the address that a client has, or had last, for its next life under the same identity: known when this
 * returns, on disk when it resolves. Never rejects: it is only a convenience.
 */
export async function remember(
  world: Pick<LeaseWorld, 'past' | 'log' | 'count'>,
  record: LeaseRecord,
): Promise<void> {
  const name = record.remember ? nameOf(record) : undefined;
  const address = name === undefined ? undefined : lastOf(record);
  if (name === undefined || address === undefined) return;
  try {
    await world.past.put(name, address);
  } catch (error) {
    world.count('past-failed');
    const told = error instanceof Error ? error.message : String(error);
    world.log.warn(
      { lease: keyText(record.key), address, error: told },
      'an address could not be remembered',
    );
  }
}

/** Of a lease that was lost because its server was away, too. */
function lastOf({ state }: LeaseRecord): Ipv4 | undefined {
  const kept = storedState(state);
  return kept.kind === 'init' ? kept.last : leaseOf(kept)?.address.address;
}
