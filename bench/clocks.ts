import { now as bootTime } from '../src/kernel/clock.ts';

const NS_PER_MS = 1e6;

/** What has to be added to a time of one clock to have milliseconds since 1970; exact to a millisecond. */
export type Clocks = { readonly boot: number; readonly monotonic: number };

/** CLOCK_BOOTTIME is that of the stored leases, CLOCK_MONOTONIC that of the driver, and captures have the time of day. */
export function readClocks(): Clocks {
  const real = performance.timeOrigin + performance.now();
  return { boot: real - bootTime(), monotonic: real - Number(process.hrtime.bigint()) / NS_PER_MS };
}
