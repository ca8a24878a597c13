import { macFromBytes, type Mac } from '../../base/mac.ts';
import type { Result } from '../../base/result.ts';
import {
  Attributes,
  decoding,
  NetlinkFormatError,
  StructReader,
  u32Bytes,
  type NetlinkProblem,
} from './attributes.ts';
import { NLM_F_DUMP, type NetlinkRequest } from './message.ts';
import { NUD_PERMANENT, RTM_GETNEIGH } from './neighbour.ts';

// linux/socket.h
const AF_BRIDGE = 7;

// linux/neighbour.h: struct ndmsg is family, three of padding, index, state, flags, type.
const NDMSG_LENGTH = 12;
const NDM_IFINDEX_AT = 4;
const NDM_STATE_AT = 8;
const NDM_FLAGS_AT = 10;
const NDA_LLADDR = 2;
/** The entry is of the device itself, and not of a bridge that it is a port of. */
const NTF_SELF = 0x02;

const MAC_LENGTH = 6;
const GROUP_BIT = 0x01;

/** An address whose frames an interface takes: `bridge fdb show` has them. */
export type Forwarding = {
  readonly index: number;
  readonly mac: Mac;
  /** Of the device's own filter (dev->uc and dev->mc), where whoever stands on it has put it. */
  readonly isOwnFilter: boolean;
  readonly isGroup: boolean;
};

/** Those of one interface, with NETLINK_GET_STRICT_CHK; each comes as an RTM_NEWNEIGH. */
export function listForwardingRequest(index: number): NetlinkRequest {
  const header = new Uint8Array(NDMSG_LENGTH);
  header[0] = AF_BRIDGE;
  header.set(u32Bytes(index), NDM_IFINDEX_AT);
  return { op: `RTM_GETNEIGH AF_BRIDGE #${index}`, type: RTM_GETNEIGH, flags: NLM_F_DUMP, payload: header };
}

/** The payload of RTM_NEWNEIGH of the family AF_BRIDGE. */
export function decodeForwarding(bytes: Uint8Array): Result<Forwarding, NetlinkProblem> {
  return decoding(() => {
    const header = new StructReader(bytes, 'ndmsg', NDMSG_LENGTH);
    const mac = new Attributes(header.after(NDMSG_LENGTH), 'ndmsg').bytes(NDA_LLADDR);
    if (mac?.length !== MAC_LENGTH) throw new NetlinkFormatError('missing', 'NDA_LLADDR');
    return {
      index: header.i32(NDM_IFINDEX_AT),
      mac: macFromBytes(mac),
      isOwnFilter:
        (header.u8(NDM_FLAGS_AT) & NTF_SELF) !== 0 && (header.u16(NDM_STATE_AT) & NUD_PERMANENT) !== 0,
      isGroup: ((mac[0] ?? 0) & GROUP_BIT) !== 0,
    };
  });
}
