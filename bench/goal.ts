import { figure } from './markdown.ts';

export const MOST = 'at most';
export const LEAST = 'at least';

/** A number that was promised, and what was measured. */
export type Goal = {
  readonly what: string;
  readonly unit: string;
  readonly bound: 'at most' | 'at least';
  readonly wanted: number;
  /** What would be better still. */
  readonly aim?: number;
  /** NaN was not measured; infinite is what never came. */
  readonly measured: number;
};

function judge({ bound, unit, measured }: Goal, wanted: number): string | undefined {
  const over = bound === MOST ? measured - wanted : wanted - measured;
  if (over <= 0) return undefined;
  if (!Number.isFinite(over)) return 'missed';
  const sign = bound === MOST ? '+' : '-';
  const by = `${sign}${figure(over)}${unit === '' ? '' : ` ${unit}`}`;
  return wanted === 0 ? `missed (${by})` : `missed by ${((over / wanted) * 100).toFixed(0)} % (${by})`;
}

/** "met", "met, aim too", "met; aim missed by 12 % (+0.6 ms)", or the same of what is wanted; "not measured" without a number. */
export function verdict(goal: Goal): string {
  const { wanted, aim, measured } = goal;
  if (Number.isNaN(measured) || Number.isNaN(wanted)) return 'not measured';
  const missed = judge(goal, wanted);
  if (missed !== undefined) return missed.replace('missed', '**missed**');
  if (aim === undefined) return 'met';
  const short = judge(goal, aim);
  return short === undefined ? 'met, aim too' : `met; aim ${short}`;
}
