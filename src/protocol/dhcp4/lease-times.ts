import { between, type Instant, later, millis, seconds } from '../../base/time.ts';

/** T1, T2 and the end of a lease: renewAt < rebindAt < expiresAt (RFC 2131 4.4.5). */
export type LeaseTimes = {
  readonly renewAt: Instant;
  readonly rebindAt: Instant;
  readonly expiresAt: Instant;
};

/** Infinity (RFC 2131 3.3). It counts in option 51; in 58 and 59 it is later than the end of any lease that has one. */
const INFINITE_SECONDS = 0xffffffff;
/** The defaults of RFC 2131 4.4.5, as shares of the lease. */
const T1_SHARE = 0.5;
const T2_SHARE = 0.875;
/** Where a default does not fit the other time that the server gave: T1 as a share of T2, T2 as one of what is left. */
const T1_OF_T2 = 0.8;
const T2_OF_REST = 0.75;
/** T1 and T2 come earlier by up to this share, so that pods that started together do not renew together. */
const SPREAD_SHARE = 1 / 16;

/**
 * T1 and T2 as the server gave them, where 0 < T1 < T2 < lease holds; else the defaults of RFC 2131 4.4.5,
 * kept consistent with the one that makes sense. All in seconds.
 */
export function repairTimes(
  leaseSecs: number,
  t1: number | undefined,
  t2: number | undefined,
): { readonly t1: number; readonly t2: number } {
  const rebind = t2 !== undefined && t2 > 0 && t2 < leaseSecs ? t2 : undefined;
  if (t1 !== undefined && t1 > 0 && t1 < (rebind ?? leaseSecs)) {
    const usual = leaseSecs * T2_SHARE;
    return { t1, t2: rebind ?? (usual > t1 ? usual : t1 + (leaseSecs - t1) * T2_OF_REST) };
  }
  if (rebind === undefined) return { t1: leaseSecs * T1_SHARE, t2: leaseSecs * T2_SHARE };
  const usual = leaseSecs * T1_SHARE;
  return { t1: usual < rebind ? usual : rebind * T1_OF_T2, t2: rebind };
}

/** The times of a lease that counts from `from`; undefined for an infinite one, which nobody has to renew. */
export function leaseTimes(
  from: Instant,
  leaseSecs: number,
  t1: number | undefined,
  t2: number | undefined,
): LeaseTimes | undefined {
  if (leaseSecs === INFINITE_SECONDS) return undefined;
  const repaired = repairTimes(leaseSecs, t1, t2);
  return {
    renewAt: later(from, seconds(repaired.t1)),
    rebindAt: later(from, seconds(repaired.t2)),
    expiresAt: later(from, seconds(leaseSecs)),
  };
}

/** RFC 2131 4.4.5: T1 and T2 "with some random fuzz". One factor for both, so that their order stays. */
export function spreadTimes(from: Instant, times: LeaseTimes, random: () => number): LeaseTimes {
  const share = 1 - random() * SPREAD_SHARE;
  return {
    renewAt: later(from, millis(between(from, times.renewAt) * share)),
    rebindAt: later(from, millis(between(from, times.rebindAt) * share)),
    expiresAt: times.expiresAt,
  };
}
