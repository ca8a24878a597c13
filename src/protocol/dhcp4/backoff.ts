import { millis, seconds, type Duration } from '../../base/time.ts';

/** First wait for an answer; each further one is twice as long. RFC 2131 4.1 starts at 4 s, too long for a container. */
const FIRST_RESEND = millis(250);
/** The longest wait between two tries (RFC 2131 4.1). */
const LONGEST_RESEND = seconds(64);
/** Waits are randomized by one second to either side (RFC 2131 4.1), short ones by no more than a quarter. */
const MOST_JITTER = seconds(1);
const JITTER_SHARE = 0.25;
/** Renewals are not repeated faster than this when the lease is long enough (RFC 2131 4.4.5). */
const RENEW_FLOOR = seconds(60);
/** A window shorter than six minutes still gets about six tries: a lease of 20 s must survive a lost packet. */
const TRIES_PER_WINDOW = 6;
const SHORTEST_RENEW = seconds(1);
/**
 * After the link came up the first REQUEST may be lost, too (a port that does not forward yet), and a server that has
 * asked for one does not ask again for long: RFC 2131 4.1's wait.
 */
const RENEW_OUT_OF_TIME = seconds(4);

/**
 * How long to wait after try number `attempt` (from 0). The jitter keeps pods that started together from staying in
 * step; RFC 2131 4.4.1 would have each wait 1 to 10 s before its first DISCOVER instead, which an ADD cannot afford.
 */
export function resendDelay(attempt: number, random: () => number): Duration {
  const base = Math.min(FIRST_RESEND * 2 ** Math.min(attempt, 20), LONGEST_RESEND);
  const jitter = Math.min(base * JITTER_SHARE, MOST_JITTER);
  return millis(base + (random() * 2 - 1) * jitter);
}

/**
 * RFC 2131 4.4.5: half of what remains of the window, at least 60 s; shorter windows scale the floor down.
 * `window` is T1 to T2 when renewing, T2 to expiry when rebinding.
 */
export function renewDelay(remaining: Duration, window: Duration): Duration {
  const floor = Math.max(SHORTEST_RENEW, Math.min(RENEW_FLOOR, window / TRIES_PER_WINDOW));
  return millis(Math.max(remaining / 2, floor));
}

/** The same for a REQUEST that is sent out of its time: soon once more, then as usual. */
export function renewDelayOutOfTime(remaining: Duration, window: Duration): Duration {
  return millis(Math.min(renewDelay(remaining, window), RENEW_OUT_OF_TIME));
}

/** That of a lease without an end, which has no window: try number `attempt` (from 0) doubles it. */
export function renewDelayWithoutEnd(attempt: number): Duration {
  return millis(RENEW_OUT_OF_TIME * 2 ** attempt);
}
