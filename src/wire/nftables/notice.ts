import { utf8 } from '../../base/bytes.ts';
import { NLMSG_HEADER_LENGTH } from '../netlink/message.ts';
import { align4, NLA_HEADER_LENGTH } from '../netlink/attributes.ts';
import {
  FAMILIES,
  NFGENMSG_LENGTH,
  NFNL_SUBSYS_NFTABLES,
  NFTA_TABLE,
  nftType,
  type Family,
} from './message.ts';

const NLA_TYPE_MASK = 0x3fff;
const HOST_IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
const NEWGEN = nftType('NEWGEN');
/** Of struct nlmsghdr: length, type, flags, sequence number, port id. */
const TYPE_AT = 4;
const PORT_ID_AT = 12;

/** How a transaction's notices are read: `touches` one of our tables, `commit` ends it and names the sender's socket. */
export type NftNotice = { readonly kind: 'touches' } | { readonly kind: 'commit'; readonly portId: number };

/**
 * What of one datagram matters to whoever watches the tables of this name. A node's kube-proxy writes thousands of rules
 * at a time, so no more is read of each message than its header, its family and the name of its table, which comes
 * first. Undefined when the datagram makes no sense.
 */
export function readNotices(
  datagram: Uint8Array,
  table: string,
  families: readonly Family[],
): readonly NftNotice[] | undefined {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  const wanted = new Set<number>(families.map((family) => FAMILIES[family]));
  const name = utf8(`${table}\0`);
  const notices: NftNotice[] = [];
  for (let at = 0; at + NLMSG_HEADER_LENGTH + NFGENMSG_LENGTH <= datagram.length;) {
    const length = view.getUint32(at, HOST_IS_LITTLE_ENDIAN);
    if (length < NLMSG_HEADER_LENGTH + NFGENMSG_LENGTH || at + length > datagram.length) return undefined;
    const type = view.getUint16(at + TYPE_AT, HOST_IS_LITTLE_ENDIAN);
    const message = datagram.subarray(at + NLMSG_HEADER_LENGTH, at + length);
    if (type === NEWGEN) {
      notices.push({ kind: 'commit', portId: view.getUint32(at + PORT_ID_AT, HOST_IS_LITTLE_ENDIAN) });
    } else if (type >>> 8 === NFNL_SUBSYS_NFTABLES && wanted.has(message[0] ?? 0) && isAbout(message, name)) {
      if (notices.at(-1)?.kind !== 'touches') notices.push({ kind: 'touches' });
    }
    at += align4(length);
  }
  return notices;
}

/** `name` with its NUL is the first attribute, which has the number 1 in every message but those of a generation. */
function isAbout(message: Uint8Array, name: Uint8Array): boolean {
  if (message.length < NFGENMSG_LENGTH + NLA_HEADER_LENGTH) return false;
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const length = view.getUint16(NFGENMSG_LENGTH, HOST_IS_LITTLE_ENDIAN);
  const type = view.getUint16(NFGENMSG_LENGTH + 2, HOST_IS_LITTLE_ENDIAN) & NLA_TYPE_MASK;
  const begin = NFGENMSG_LENGTH + NLA_HEADER_LENGTH;
  if (type !== NFTA_TABLE || length !== NLA_HEADER_LENGTH + name.length) return false;
  if (begin + name.length > message.length) return false;
  return name.every((byte, at) => message[begin + at] === byte);
}
