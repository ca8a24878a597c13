import { hearKernelOnly, netlinkAddress, type NetlinkFd } from './netlink-fd.ts';
import { check, orClose } from './errno.ts';
import { bind, getsockname } from './ffi.ts';
import { SequenceNumbers } from './netlink-sequence.ts';
import { NetNs } from './netns.ts';
import { intBytes, openSocket, setIntOption, setReceiveBuffer, SOCK_RAW } from './socket-options.ts';

// linux/socket.h, linux/netlink.h
const AF_NETLINK = 16;
const NETLINK_NETFILTER = 12;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const PORT_ID_WORD = 1;

const RECEIVE_BUFFER = 1024 * 1024;

/** A socket for requests hears nothing but the answers to `sequence`. */
export type NetfilterFd = NetlinkFd & { readonly portId: number };

/** The sockets by which this process changes rules, so that a watch can tell its own changes from those of others. */
const ownSockets = new Set<string>();

/** Port ids are unique in one namespace only. */
export function ownSocketKey(portId: number, netns: NetNs = NetNs.self()): string {
  return `${netns.inode}:${portId}`;
}

export function noteOwnSocket(key: string): void {
  ownSockets.add(key);
}

export function forgetOwnSocket(key: string): void {
  ownSockets.delete(key);
}

export function isOwnSocket(key: string): boolean {
  return ownSockets.has(key);
}

const OPEN = 'open netfilter socket';

/** A NETLINK_NETFILTER socket for requests, bound, in `netns` or the daemon's own. Throws SysError. */
export function openNetfilter(netns: NetNs | undefined): NetfilterFd {
  return netns === undefined ? openForRequests() : netns.run(openForRequests);
}

function openForRequests(): NetfilterFd {
  const { fd, portId } = openHere(0);
  return orClose(fd, () => {
    hearKernelOnly(OPEN, fd);
    return { fd, portId, sequence: new SequenceNumbers() };
  });
}

/** The same for notices; `groups` are bits of multicast groups. */
export function openNetfilterNotices(netns: NetNs | undefined, groups: number): number {
  return (netns === undefined ? openHere(groups) : netns.run(() => openHere(groups))).fd;
}

function openHere(groups: number): { readonly fd: number; readonly portId: number } {
  const fd = openSocket(OPEN, AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
  return orClose(fd, () => {
    setIntOption(OPEN, fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
    setIntOption(OPEN, fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
    setReceiveBuffer(OPEN, fd, RECEIVE_BUFFER);
    const address = netlinkAddress(groups);
    check('bind netfilter socket', bind(fd, address, address.length));
    check('getsockname', getsockname(fd, address, intBytes(address.length)));
    return { fd, portId: new Uint32Array(address.buffer)[PORT_ID_WORD] ?? 0 };
  });
}
