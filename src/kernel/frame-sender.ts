import { invariant } from '../base/invariant.ts';
import { isSysError, type SysError } from '../base/sys-error.ts';
import { closeOffLoop } from './ffi.ts';
import { slowLane } from './lanes.ts';
import { AF_PACKET, sendFrame } from './packet-socket.ts';
import type { NetNs } from './netns.ts';
import { openSocket, SOCK_RAW } from './socket-options.ts';

/**
 * Sends whole Ethernet frames out of any interface of one namespace, the daemon's own. One packet socket of protocol 0,
 * which hears nothing, for the daemon's life: opening one per frame would cost 16 ms at its close.
 */
export class HostFrameSender implements AsyncDisposable {
  readonly #fd: number;
  #closed: Promise<void> | undefined;

  /** In the namespace where the thread is. Throws SysError: EPERM without CAP_NET_RAW. */
  constructor() {
    this.#fd = openSocket('open frame sender', AF_PACKET, SOCK_RAW, 0);
  }

  /**
   * At once or not at all. Undefined when the kernel took it; else ENXIO without the interface, ENETDOWN when it is
   * down, EMSGSIZE, EINVAL for less than a header, ENOBUFS.
   */
  send(ifindex: number, frame: Uint8Array): SysError | undefined {
    invariant(this.#closed === undefined, 'the frame sender is open');
    return sendFrame(this.#fd, ifindex, frame);
  }

  /** Settles when the kernel has let go (16 ms of RCU, off the loop). A second call does nothing more. */
  close(): Promise<void> {
    this.#closed ??= slowLane.run(() => closeOffLoop(this.#fd)).then(() => undefined);
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/**
 * One frame out of an interface of `netns`, without a word to netlink: the kernel takes the 16 ms of the socket's close on
 * another thread. As `HostFrameSender.send`, or the SysError of opening the socket.
 */
export function sendOnce(netns: NetNs, ifindex: number, frame: Uint8Array): SysError | undefined {
  try {
    const sender = netns.run(() => new HostFrameSender());
    const failed = sender.send(ifindex, frame);
    void sender.close();
    return failed;
  } catch (error) {
    if (!isSysError(error)) throw error;
    return error;
  }
}
