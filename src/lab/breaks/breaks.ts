import { nearest } from '../../base/nearest.ts';
import { LabUsageError } from '../lab-usage-error.ts';
import { asymmetric } from './asymmetric.ts';
import type { LabBreak } from './break.ts';
import { flushShim } from './flush-shim.ts';
import { macFilter } from './mac-filter.ts';
import { noServer } from './no-server.ts';
import { rogueServer } from './rogue-server.ts';
import { serviceLeak } from './service-leak.ts';

/** Every fault that a lab can show. */
export const BREAKS: readonly LabBreak[] = [
  macFilter,
  flushShim,
  serviceLeak,
  asymmetric,
  rogueServer,
  noServer,
];

/** Throws LabUsageError for a name that is none, with the nearest one. */
export function breakNamed(name: string): LabBreak {
  const found = BREAKS.find((one) => one.name === name);
  if (found !== undefined) return found;
  const names = BREAKS.map((one) => one.name);
  const near = nearest(name, names);
  throw new LabUsageError(
    `no fault "${name}"${near === undefined ? '' : `: did you mean "${near}"?`} (there are ${names.join(', ')})`,
  );
}
