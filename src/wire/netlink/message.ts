import { concat } from '../../base/bytes.ts';
import type { Result } from '../../base/result.ts';
import {
  align4,
  Attributes,
  decoding,
  NetlinkFormatError,
  StructReader,
  u16Bytes,
  u32Bytes,
  type NetlinkProblem,
} from './attributes.ts';

// linux/netlink.h
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
export const NLM_F_REQUEST = 0x01;
export const NLM_F_ACK = 0x04;
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;
export const NLM_F_CAPPED = 0x100;
export const NLM_F_ACK_TLVS = 0x200;
export const NLMSG_HEADER_LENGTH = 16;
const NLMSG_SEQ_AT = 8;

const NLMSGERR_ATTR_MSG = 1;
const NLMSGERR_HEADER_AT = 4;
const ERROR_LENGTH = 4;

/** A message to be sent. `op` is what errors call it ("RTM_NEWLINK eth0"); the socket numbers it. */
export type NetlinkRequest = {
  readonly op: string;
  readonly type: number;
  readonly flags: number;
  readonly payload: Uint8Array;
};

/** A message as received; `payload` is a view into the datagram. */
export type NetlinkMessage = {
  readonly type: number;
  readonly flags: number;
  readonly seq: number;
  readonly payload: Uint8Array;
};

/** What NLMSG_ERROR and NLMSG_DONE say: errno 0 is success, `text` is the kernel's own sentence (extack). */
export type NetlinkOutcome = { readonly errno: number; readonly text?: string };

/** struct nlmsghdr and payload, padded so that another message may follow. Port id 0: the kernel knows the sender. */
export function encodeRequest(request: NetlinkRequest, seq: number, extraFlags = 0): Uint8Array {
  const length = NLMSG_HEADER_LENGTH + request.payload.length;
  return concat([
    u32Bytes(length),
    u16Bytes(request.type),
    u16Bytes(request.flags | NLM_F_REQUEST | extraFlags),
    u32Bytes(seq),
    u32Bytes(0),
    request.payload,
    new Uint8Array(align4(length) - length),
  ]);
}

/** A copy of these messages with other sequence numbers, one for each. */
export function renumber(messages: Uint8Array, sequence: readonly number[]): Uint8Array {
  const copy = messages.slice();
  const words = new Uint32Array(copy.buffer);
  let at = 0;
  for (const seq of sequence) {
    const length = words[at / Uint32Array.BYTES_PER_ELEMENT] ?? 0;
    words[(at + NLMSG_SEQ_AT) / Uint32Array.BYTES_PER_ELEMENT] = seq;
    at += align4(length);
  }
  return copy;
}

/** All messages of one datagram. One bad length spoils the datagram: nothing after it can be trusted. */
export function decodeMessages(datagram: Uint8Array): Result<readonly NetlinkMessage[], NetlinkProblem> {
  return decoding(() => {
    const messages: NetlinkMessage[] = [];
    for (let at = 0; at < datagram.length;) {
      const header = new StructReader(datagram.subarray(at), 'nlmsghdr', NLMSG_HEADER_LENGTH);
      const length = header.u32(0);
      if (length < NLMSG_HEADER_LENGTH || at + length > datagram.length) {
        throw new NetlinkFormatError('bad-length', `message at byte ${at}`);
      }
      messages.push({
        type: header.u16(4),
        flags: header.u16(6),
        seq: header.u32(8),
        payload: datagram.subarray(at + NLMSG_HEADER_LENGTH, at + length),
      });
      at += align4(length);
    }
    return messages;
  });
}

/**
 * Reads NLMSG_ERROR (acknowledgements too) and NLMSG_DONE, which carries an error when a dump failed half way.
 * After the number an NLMSG_ERROR repeats the request, only its header if NLM_F_CAPPED; the attributes come last.
 */
export function decodeOutcome(message: NetlinkMessage): Result<NetlinkOutcome, NetlinkProblem> {
  return decoding(() => {
    const what = message.type === NLMSG_ERROR ? 'NLMSG_ERROR' : 'NLMSG_DONE';
    // Old kernels end some dumps with an empty NLMSG_DONE.
    if (message.type === NLMSG_DONE && message.payload.length === 0) return { errno: 0 };
    const reader = new StructReader(message.payload, what, ERROR_LENGTH);
    const errno = Math.abs(reader.i32(0));
    if ((message.flags & NLM_F_ACK_TLVS) === 0) return { errno };
    let at = ERROR_LENGTH;
    if (message.type === NLMSG_ERROR) {
      const capped = (message.flags & NLM_F_CAPPED) !== 0;
      at += capped ? NLMSG_HEADER_LENGTH : align4(reader.u32(NLMSGERR_HEADER_AT));
    }
    const text = new Attributes(reader.after(at), what).text(NLMSGERR_ATTR_MSG);
    return text === undefined ? { errno } : { errno, text };
  });
}
