/** Nearest rank: the smallest value that at least `percent` of all values do not exceed. NaN for an empty list. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const rank = Math.max(1, Math.ceil((percent / 100) * sorted.length));
  return sorted[rank - 1] ?? Number.NaN;
}

/** The mean of the two in the middle when their number is even. NaN for an empty list. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
  return (lower + upper) / 2;
}

/** NaN for an empty list. */
export function largest(values: readonly number[]): number {
  return values.length === 0 ? Number.NaN : Math.max(...values);
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/**
 * The median over the rounds of what `a` was of `b` in the same round: what the machine did meanwhile, it did to both.
 * Rounds that only one side has do not count.
 */
export function medianRatio(a: readonly number[], b: readonly number[]): number {
  return median(a.flatMap((value, round) => (b[round] === undefined ? [] : [value / b[round]])));
}
