import { type Duration, millis } from '../base/time.ts';
import type { Finding } from './finding.ts';

/** A server that pings an address before it offers it (dnsmasq: three seconds for each of two new clients). */
const PING_TAKES = millis(6500);

/** The server has no address for a new client, or wants none. */
export function poolEmpty(title: string, evidence: readonly string[]): Finding {
  return {
    id: 'pool-empty',
    severity: 'error',
    title,
    evidence,
    remedy: [
      "Look at the DHCP server's pool and its log: enlarge the pool, shorten the lease time, or let it serve unknown clients.",
    ],
  };
}

/** What else it may be where nobody has listened for as long as such a server takes; the end of a title. */
export function slowDoubt(listened: Duration): string {
  return listened < PING_TAKES ? ', or it takes longer than that for a new one' : '';
}
