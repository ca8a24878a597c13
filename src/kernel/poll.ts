import koffi from 'koffi';
import { takeSocketError } from './socket-options.ts';

/** Stops the watching; the descriptor may be closed right after. A second call does nothing. */
export type StopPolling = () => void;

// koffi passes (status, events), although its type declaration names the events alone.
type PollCallback = (status: number) => void;
type Poll = (fd: number, options: { readable: boolean }, callback: PollCallback) => koffiHandle;
type koffiHandle = { readonly close: () => void };

/**
 * Calls `onReady` when the socket has something to read or has an error, for as long as that is so. `onReady` reads
 * until EAGAIN or its own bound; `socketError` is the errno that was taken from the socket, 0 for none.
 *
 * The only user of koffi.node.poll (libuv's uv_poll), which koffi does not document.
 */
export function pollReadable(fd: number, onReady: (socketError: number) => void): StopPolling {
  const poll = koffi.node.poll as unknown as Poll;
  let handle: koffiHandle | undefined;
  let handed: NodeJS.Immediate | undefined;
  let failed = false;

  const start = (): void => {
    handle = poll(fd, { readable: true }, (status) => {
      failed ||= status < 0;
      // The addon calls without Node's callback scope, so promises resolved here would lie until something else
      // wakes the loop. An immediate runs in the same turn of the loop and has the scope.
      handed ??= setImmediate(handOn);
    });
  };
  const handOn = (): void => {
    handed = undefined;
    if (!failed) {
      onReady(0);
      return;
    }
    failed = false;
    // libuv gives up on POLLERR (an interface went down): take the error from the socket and watch again.
    handle?.close();
    start();
    onReady(takeSocketError(fd));
  };

  start();
  return () => {
    clearImmediate(handed);
    handed = undefined;
    handle?.close();
    handle = undefined;
  };
}
