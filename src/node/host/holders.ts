import type { Ipv4 } from '../../base/ipv4.ts';
import { holderOnLan, type NodeLan } from './node-lan.ts';
import { type AttachmentKey, type AttachmentRecord, attachmentText } from './record.ts';

/** Who asks for an address, and on which interface of the node. */
export type Asker = {
  readonly key: AttachmentKey;
  readonly lan: { readonly index: number; readonly name: string } | undefined;
};

/** What of the node is looked at. */
export interface HoldersView {
  readonly lan: NodeLan;
  readonly records: Iterable<AttachmentRecord>;
  /** Of the asker, while its ADD is under way. */
  readonly begun: AttachmentRecord | undefined;
  isGone(record: AttachmentRecord): boolean;
}

/**
 * Who of the node has an address, beside pods with leases, in words; undefined: nobody. Where the node shall reach the
 * pod, its addresses on other interfaces count too: it leads none of them to a pod.
 */
export function holderOnNode(view: HoldersView, address: Ipv4, { key, lan }: Asker): string | undefined {
  if (lan === undefined) return undefined;
  const { records, begun } = view;
  const asker = attachmentText(key);
  for (const one of records) {
    const { addresses, uplink } = one;
    if (addresses === 'lease' || uplink !== lan.name || !addresses.includes(address)) continue;
    const text = attachmentText(one.key);
    if (text !== asker && !view.isGone(one)) return `pod ${text} of this node`;
  }
  const holder = holderOnLan(view.lan, lan.index, address);
  if (holder !== undefined) return holder;
  if (!view.lan.addresses.some(({ cidr }) => cidr.address === address)) return undefined;
  const record = begun ?? Iterator.from(records).find((one) => attachmentText(one.key) === asker);
  return record?.hostAccess === true ? 'the node itself' : undefined;
}
