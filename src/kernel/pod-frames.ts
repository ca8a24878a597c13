import type { SysError } from '../base/sys-error.ts';
import { dhcpClientFilter } from '../wire/bpf.ts';
import type { NetNs } from './netns.ts';
import { openTap, type PacketTap } from './packet-tap.ts';

/** A few dozen messages: nobody else's memory may be filled from a container. */
const RECEIVE_BUFFER = 64 * 1024;

const filter = dhcpClientFilter();

/** As lease/ports.ts has it: a packet socket on one interface of a pod. */
export class PodFrames implements AsyncDisposable {
  readonly #tap: PacketTap;

  constructor(tap: PacketTap) {
    this.#tap = tap;
  }

  /** Undefined when the kernel took it; else ENETDOWN, ENXIO, EMSGSIZE, ENOBUFS. */
  send(frame: Uint8Array): SysError | undefined {
    return this.#tap.send(frame);
  }

  /** Starts to receive; one handler per socket. An error of the socket is met again by the next send. */
  onFrame(handler: (frame: Uint8Array, checksumReady: boolean) => void): void {
    this.#tap.onFrame((frame, { checksumReady }) => handler(frame, checksumReady));
  }

  close(): void {
    void this.#tap.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tap.close();
  }
}

/** Opens it inside `netns`. Throws SysError: ENODEV without the interface, EPERM without CAP_NET_RAW. */
export function openPodFrames(netns: NetNs, ifindex: number): PodFrames {
  return netns.run(() => new PodFrames(openTap(ifindex, filter, RECEIVE_BUFFER)));
}
