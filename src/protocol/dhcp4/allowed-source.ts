import { cidrContains } from '../../base/cidr.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import type { Lease4 } from './lease.ts';
import type { IgnoreReason } from './reasons.ts';
import type { Source } from './source.ts';
import type { Dhcp4Config } from './state.ts';

/** The servers that may answer, and the relay agents that may bring their answers. */
export type Allowed = Pick<Dhcp4Config, 'servers' | 'relays'>;

/**
 * Whether a message with this IP source can be an allowed server's. A server sends from its own address, and a relay
 * agent from its own, with option 54 still the server's (RFC 2131 4.1, 4.3.1).
 */
export function isAllowedSource({ servers, relays }: Allowed, address: Ipv4): boolean {
  return servers.includes(address) || relays.includes(address);
}

/**
 * Why a message is not from where it says. Only where servers are listed; a source that is not known is none.
 * `renewed`: the lease for which one server was asked by unicast. The answer comes from that server and no relay, and
 * when it is not on the LAN, in a frame of the router.
 */
export function refuseSource(
  allowed: Allowed,
  source: Source | undefined,
  renewed: Pick<Lease4, 'address'> | undefined,
): IgnoreReason | undefined {
  if (allowed.servers.length === 0) return undefined;
  if (source === undefined || !isAllowedSource(allowed, source.address)) return 'source-not-allowed';
  if (renewed !== undefined && !cidrContains(renewed.address, source.address)) return undefined;
  switch (source.holder) {
    case 'sender':
    case 'unasked':
      return undefined;
    case 'other':
      return 'forged-source';
    case 'nobody':
    // A frame that nobody asked about is not believed.
    case undefined:
      return 'unconfirmed-source';
  }
}
