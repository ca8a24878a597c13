import { between, type Instant } from '../base/time.ts';
import { now } from './clock.ts';

/** setTimeout holds a signed 32-bit number of milliseconds; a longer wait is made of several. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

/**
 * Calls back once CLOCK_BOOTTIME has reached `at`; returns what cancels it. Node's timers run on CLOCK_MONOTONIC,
 * which may be early against it by a fraction, so the time is looked at again.
 */
export function timerAt(at: Instant, callback: () => void): () => void {
  let timer: NodeJS.Timeout;
  const arm = (): void => {
    const left = Math.ceil(between(now(), at));
    timer = setTimeout(fire, Math.min(Math.max(left, 0), LONGEST_TIMEOUT));
  };
  const fire = (): void => {
    if (now() < at) arm();
    else callback();
  };
  arm();
  return () => clearTimeout(timer);
}
