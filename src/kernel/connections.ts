import type { Ipv4 } from '../base/ipv4.ts';
import { isSysError, type SysError } from '../base/sys-error.ts';
import {
  type Connection,
  decodeConnection,
  listConnectionsRequest,
  resetConnectionRequest,
  SOCK_DIAG_BY_FAMILY,
} from '../wire/netlink/sock-diag.ts';
import type { DumpLimit } from './netlink-dump.ts';
import { decodeAll, NETLINK_SOCK_DIAG } from './netlink-fd.ts';
import { NetlinkSocket } from './netlink-socket.ts';
import type { NetNs } from './netns.ts';

/** How many there are whoever runs in the pod decides; with more of them in one family none of it is reset. */
export const MOST_CONNECTIONS: DumpLimit = { messages: 16_384, bytes: 4 * 1024 * 1024 };
/** A kernel without IPv6 has no handler for its sockets. */
const NO_IPV6 = ['ENOENT', 'EINVAL'];
/** Gone meanwhile, or about to be. */
const OVER = ['ENOENT'];

/**
 * Resets the TCP connections of a namespace that are from this address, and gives how many there were. Rejects with
 * SysError: EOPNOTSUPP where the kernel cannot do that (CONFIG_INET_DIAG_DESTROY), ENOENT or EINVAL without
 * CONFIG_INET_DIAG, E2BIG for too many.
 */
export async function resetConnections(netns: NetNs, from: Ipv4): Promise<number> {
  await using socket = NetlinkSocket.open(netns, MOST_CONNECTIONS, NETLINK_SOCK_DIAG);
  const connections: Connection[] = [];
  for (const family of [4, 6] as const) {
    const request = listConnectionsRequest(family, from);
    const found = await socket.dump(request, family === 6 ? NO_IPV6 : []);
    connections.push(...decodeAll(request.op, found, SOCK_DIAG_BY_FAMILY, decodeConnection));
  }
  const outcomes = await socket.batch(connections.map((one) => resetConnectionRequest(one)));
  const failed = outcomes.filter((outcome): outcome is SysError => outcome !== undefined);
  for (const error of failed) if (!isSysError(error, ...OVER)) throw error;
  return outcomes.length - failed.length;
}
