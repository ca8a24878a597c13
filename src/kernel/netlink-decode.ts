import type { Result } from '../base/result.ts';
import type { NetlinkProblem } from '../wire/netlink/attributes.ts';
import type { NetlinkMessage } from '../wire/netlink/message.ts';
import { decodeAll } from './netlink-fd.ts';
import { Slices } from './slices.ts';

/** Messages that are decoded between two looks at the clock: less than a millisecond. */
const AT_ONCE = 64;

/** As `decodeAll`, of a whole table: others have their turn in between. */
export async function decodeInSlices<T>(
  op: string,
  messages: readonly NetlinkMessage[],
  type: number,
  decode: (payload: Uint8Array) => Result<T, NetlinkProblem>,
): Promise<readonly T[]> {
  const slices = new Slices();
  const decoded: T[] = [];
  for (let at = 0; at < messages.length; at += AT_ONCE) {
    decoded.push(...decodeAll(op, messages.slice(at, at + AT_ONCE), type, decode));
    await slices.pause();
  }
  return decoded;
}
