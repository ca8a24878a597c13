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
  return [...all].filter(({ record: other, led }) => {
    const isOther = other.mac !== mac && attachmentText(other.key) !== text;
    return isOther && other.uplink === uplink && led.includes(address);
  });
}
