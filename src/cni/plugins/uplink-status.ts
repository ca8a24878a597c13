import type { Result } from '../../base/result.ts';
import type { UplinkState } from '../../node/ports.ts';
import type { UplinkProblem } from '../../node/uplink.ts';
import { CniError } from '../spec/errors.ts';
import type { Ipam } from './ipam.ts';

/**
 * Throws CniError 51 for an uplink on which no pod can be attached: pods that run are cut off there, too. A pod whose
 * addresses do not come from the LAN is attached to an uplink that is down, and comes up with it.
 */
export function assertUplink(
  uplink: Result<UplinkState, UplinkProblem>,
  { asksTheLan }: Pick<Ipam, 'asksTheLan'>,
): void {
  if (!uplink.ok) {
    if (uplink.error.kind === 'down' && !asksTheLan) return;
    throw new CniError('limited-connectivity', uplink.error.text);
  }
  if (uplink.value.lowerUp || !asksTheLan) return;
  throw new CniError('limited-connectivity', `master "${uplink.value.name}" has no carrier`);
}
