import type { Ipv4 } from '../../base/ipv4.ts';
import type { Attachment } from './attachment.ts';
import { type AttachmentRecord, attachmentText } from './record.ts';

/** Other pods on the uplink of one that the node leads an address to. One of the same MAC is the same pod, made anew. */
export function othersWith(
  all: Iterable<Attachment>,
  address: Ipv4,
  { key, uplink, mac }: AttachmentRecord,
): readonly Attachment[] {
  const text = attachmentText(key);
  const others: Attachment[] = [];
  // Each ADD looks at all pods of the node: the address first, which tells nearly all of them apart.
  for (const one of all) {
    const { record: other, led } = one;
    if (!led.includes(address) || other.uplink !== uplink || other.mac === mac) continue;
    if (attachmentText(other.key) !== text) others.push(one);
  }
  return others;
}
