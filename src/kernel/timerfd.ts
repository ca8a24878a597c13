import type { Instant } from '../base/time.ts';
import { check, orClose } from './errno.ts';
import { closeFd, timerfdCreate, timerfdSettime } from './ffi.ts';
import { watchReadable, type Poll } from './poll.ts';

// linux/time.h, linux/timerfd.h
const CLOCK_BOOTTIME = 7;
const TFD_TIMER_ABSTIME = 1;
const TFD_NONBLOCK = 0o4000;
const TFD_CLOEXEC = 0o2000000;
const MILLIS_PER_SEC = 1000;
const NANOS_PER_MILLI = 1_000_000;
const NANOS_PER_SEC = MILLIS_PER_SEC * NANOS_PER_MILLI;
/** In milliseconds. The kernel's own times (ktime_t) end after 292 years. */
const FURTHEST = 250 * 365 * 86_400 * MILLIS_PER_SEC;
/** A value of zero disarms; anything in the past fires at once. */
const NOT_ZERO_NANOS = 1;

/** One alarm of CLOCK_BOOTTIME, which goes on in suspend: after it, an alarm that is overdue comes at once. */
export class BoottimeAlarm {
  readonly #fd: number;
  readonly #poll: Poll;
  // struct itimerspec: the interval (none), then the value, each as seconds and nanoseconds.
  readonly #value = new BigInt64Array(4);
  readonly #bytes = new Uint8Array(this.#value.buffer);

  /** Throws SysError (EMFILE). It keeps the process alive only while it is `ref`; at first it is not. */
  constructor(onAlarm: () => void) {
    this.#fd = check('timerfd_create', timerfdCreate(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC));
    // Not read: setting the next alarm, or none, takes the last one back (timerfd_setup clears the ticks).
    this.#poll = orClose(this.#fd, () => watchReadable(this.#fd, () => onAlarm()));
    this.#poll.unref();
  }

  /** Instead of the one before. Must be called after every alarm: until then it comes again with every turn. */
  set(at: Instant): void {
    const ms = Math.min(Math.max(at, 0), FURTHEST);
    const seconds = Math.floor(ms / MILLIS_PER_SEC);
    // Up, or it would come a fraction of a nanosecond too early.
    const nanos = Math.ceil((ms - seconds * MILLIS_PER_SEC) * NANOS_PER_MILLI);
    const carry = nanos >= NANOS_PER_SEC ? 1 : 0;
    this.#value[2] = BigInt(seconds + carry);
    this.#value[3] = BigInt(Math.max(nanos - carry * NANOS_PER_SEC, seconds === 0 ? NOT_ZERO_NANOS : 0));
    this.#settime();
  }

  clear(): void {
    this.#value[2] = 0n;
    this.#value[3] = 0n;
    this.#settime();
  }

  #settime(): void {
    check('timerfd_settime', timerfdSettime(this.#fd, TFD_TIMER_ABSTIME, this.#bytes, null));
  }

  ref(): void {
    this.#poll.ref();
  }

  unref(): void {
    this.#poll.unref();
  }

  close(): void {
    this.#poll.stop();
    closeFd(this.#fd);
  }
}
