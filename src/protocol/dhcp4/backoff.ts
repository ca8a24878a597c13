import { millis, seconds, type Duration } from '../../base/time.ts';

/** First wait for an answer; each further one is twice as long. RFC 2131 4.1 starts at 4 s, too long for a container. */
const FIRST_RESEND = millis(250);
/** The longest wait between two tries (RFC 2131 4.1). */
const LONGEST_RESEND = seconds(64);
/** Renewals are not repeated faster than this when the lease is long enough (RFC 2131 4.4.5). */
const RENEW_FLOOR = seconds(60);
/** A window shorter than eight minutes still gets about eight tries: a lease of 20 s must survive a lost packet. */
const TRIES_PER_WINDOW = 8;
const SHORTEST_RENEW = seconds(1);

/** How long to wait after try number `attempt` (from 0), ± 25 % so that pods started together do not stay in step. */
export function resendDelay(attempt: number, random: () => number): Duration {
  const base = Math.min(FIRST_RESEND * 2 ** Math.min(attempt, 20), LONGEST_RESEND);
  return millis(base * (0.75 + random() * 0.5));
}

/**
 * RFC 2131 4.4.5: half of what remains of the window, at least 60 s; shorter windows scale the floor down.
 * `window` is T1 to T2 when renewing, T2 to expiry when rebinding.
 */
export function renewDelay(remaining: Duration, window: Duration): Duration {
  const floor = Math.max(SHORTEST_RENEW, Math.min(RENEW_FLOOR, window / TRIES_PER_WINDOW));
  return millis(Math.max(remaining / 2, floor));
}
