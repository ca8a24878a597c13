import { figure } from './markdown.ts';

export const MOST = 'at most';
export const LEAST = 'at least';

/** A number that was promised, and what was measured. */
export type Goal = {
  readonly what: string;
  readonly unit: string;
  readonly bound: 'at most' | 'at least';
  readonly wanted: number;
  readonly measured: number;
};

/** "met" or "missed by 12 % (+0.6 ms)"; "not measured" without a number. */
export function verdict({ bound, wanted, measured, unit }: Goal): string {
  if (!Number.isFinite(measured) || !Number.isFinite(wanted)) return 'not measured';
  const over = bound === 'at most' ? measured - wanted : wanted - measured;
  if (over <= 0) return 'met';
  const sign = bound === 'at most' ? '+' : '-';
  const by = `${sign}${figure(over)}${unit === '' ? '' : ` ${unit}`}`;
  return wanted === 0
    ? `**missed** (${by})`
    : `**missed** by ${((over / wanted) * 100).toFixed(0)} % (${by})`;
}
