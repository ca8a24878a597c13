import { concat } from '../../base/bytes.ts';
import { type Ipv4, ipv4ToBytes } from '../../base/ipv4.ts';
import type { Result } from '../../base/result.ts';
import { attr, decoding, type NetlinkProblem, StructReader, u16Bytes, u32Bytes } from './attributes.ts';
import { NLM_F_DUMP, type NetlinkRequest } from './message.ts';
import { AF_INET, AF_INET6 } from './rtnetlink.ts';

// Sockets as the kernel shows and ends them: sock_diag(7), linux/sock_diag.h, linux/inet_diag.h.
export const SOCK_DIAG_BY_FAMILY = 20;
const SOCK_DESTROY = 21;

const IPPROTO_TCP = 6;
/** struct inet_diag_sockid: ports, addresses, interface and cookie. */
const SOCKID_LENGTH = 48;
const SOCKID_AT = 4;
/** struct inet_diag_msg. */
const MESSAGE_LENGTH = 72;

const INET_DIAG_REQ_BYTECODE = 1;
/** Of a filter program: the source address has this prefix. */
const INET_DIAG_BC_S_COND = 7;
/** struct inet_diag_bc_op: code, and how far to go on, in bytes, when it is so and when not. */
const OPERATION_LENGTH = 4;
/** struct inet_diag_hostcond with an IPv4 address: family, prefix, two of padding, port, address. */
const HOST_CONDITION_LENGTH = 12;
const IPV4_PREFIX = 32;
const ANY_PORT = 0xffff_ffff;

/** linux/tcp_states.h: connections that somebody is at the other end of, and those that are being made. */
const TCP_STATE = {
  established: 1,
  synSent: 2,
  synReceived: 3,
  finWait1: 4,
  finWait2: 5,
  closeWait: 8,
  lastAck: 9,
  closing: 11,
} as const;
const CONNECTED = Object.values(TCP_STATE).reduce((states, state) => states | (1 << state), 0);

/** A dual stack server has connections over IPv4 as well, from ::ffff:a.b.c.d: those are of the family 6. */
export type SocketFamily = 4 | 6;

/** One TCP connection: what the kernel needs to find it again, and no other one in its place (by its cookie). */
export type Connection = { readonly family: SocketFamily; readonly id: Uint8Array };

/** struct inet_diag_req_v2. */
function requestOf(family: SocketFamily, states: number, id: Uint8Array): Uint8Array {
  const head = Uint8Array.of(family === 4 ? AF_INET : AF_INET6, IPPROTO_TCP, 0, 0);
  return concat([head, u32Bytes(states), id]);
}

/** The TCP connections of one family from an IPv4 address, in the namespace of the socket; listeners are none. */
export function listConnectionsRequest(family: SocketFamily, from: Ipv4): NetlinkRequest {
  const length = OPERATION_LENGTH + HOST_CONDITION_LENGTH;
  const program = concat([
    // Beyond the end is "no".
    Uint8Array.of(INET_DIAG_BC_S_COND, length),
    u16Bytes(length + OPERATION_LENGTH),
    Uint8Array.of(AF_INET, IPV4_PREFIX, 0, 0),
    u32Bytes(ANY_PORT),
    ipv4ToBytes(from),
  ]);
  return {
    op: `SOCK_DIAG_BY_FAMILY tcp${family} from ${from}`,
    type: SOCK_DIAG_BY_FAMILY,
    flags: NLM_F_DUMP,
    payload: concat([
      requestOf(family, CONNECTED, new Uint8Array(SOCKID_LENGTH)),
      attr(INET_DIAG_REQ_BYTECODE, program),
    ]),
  };
}

export function decodeConnection(payload: Uint8Array): Result<Connection, NetlinkProblem> {
  return decoding(() => {
    const reader = new StructReader(payload, 'inet_diag_msg', MESSAGE_LENGTH);
    const family = reader.u8(0) === AF_INET6 ? 6 : 4;
    return { family, id: payload.slice(SOCKID_AT, SOCKID_AT + SOCKID_LENGTH) };
  });
}

/** Resets one: the other end hears RST, the process here ECONNABORTED. EOPNOTSUPP without CONFIG_INET_DIAG_DESTROY. */
export function resetConnectionRequest({ family, id }: Connection): NetlinkRequest {
  return { op: 'SOCK_DESTROY', type: SOCK_DESTROY, flags: 0, payload: requestOf(family, 0, id) };
}
