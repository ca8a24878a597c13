import { type Duration, millis, seconds } from '../base/time.ts';

/** As client-go's reflectors wait (tools/cache/reflector.go): 0.8 s, doubled up to 30 s, and up to as much again by chance. */
const FIRST = millis(800);
const LONGEST = seconds(30);

/** How long to wait after so many failures in a row, 1 or more. A thousand nodes shall not come back at once. */
export function backoff(failures: number, random: () => number): Duration {
  const wait = Math.min(FIRST * 2 ** (failures - 1), LONGEST);
  return millis(wait * (1 + random()));
}
