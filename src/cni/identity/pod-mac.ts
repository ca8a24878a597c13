import { type Mac, macFromBytes } from '../../base/mac.ts';
import { keyedHash } from './keyed-hash.ts';
import { type Attached, type IdentityScope, subjectOf } from './subject.ts';

export const MAC_POLICIES = ['random', 'pod'] as const;

/** `random`: the kernel's, another one each time. */
export type MacPolicy = (typeof MAC_POLICIES)[number];

const LOCAL_BITS = 0x02;
const RANDOM_BITS = 0xf0;

/**
 * The MAC of a pod's interface: the same whenever and wherever the pod is made again. Unicast, and of the quadrant
 * that administrators may assign as they like, x2-xx-xx-xx-xx-xx (IEEE 802c, RFC 8948 section 2): 44 bits of the hash.
 */
export function podMac(attached: Attached, scope: IdentityScope): Mac {
  const bytes = keyedHash(scope, subjectOf(attached, scope), ['mac', attached.ifname]).slice(0, 6);
  bytes[0] = ((bytes[0] ?? 0) & RANDOM_BITS) | LOCAL_BITS;
  return macFromBytes(bytes);
}
