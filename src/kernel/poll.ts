import koffi from 'koffi';
import { takeSocketError } from './socket-options.ts';

/** Stops the watching; the descriptor may be closed right after. A second call does nothing. */
export type StopPolling = () => void;

/** A watched descriptor. As long as it is `ref`, which it is at first, it keeps the process alive. */
export type Poll = { readonly stop: StopPolling; readonly ref: () => void; readonly unref: () => void };

// koffi passes (status, events), although its type declaration names the events alone.
type PollCallback = (status: number) => void;
type KoffiPoll = (fd: number, options: { readable: boolean }, callback: PollCallback) => KoffiHandle;
type KoffiHandle = { readonly close: () => void; readonly ref: () => void; readonly unref: () => void };

/**
 * Calls `onReady` when the descriptor has something to read or has an error, for as long as that is so. `onReady`
 * reads until EAGAIN or its own bound; `socketError` is the errno that was taken from the socket, 0 for none.
 *
 * The only user of koffi.node.poll (libuv's uv_poll), which koffi does not document.
 */
export function watchReadable(fd: number, onReady: (socketError: number) => void): Poll {
  const poll = koffi.node.poll as unknown as KoffiPoll;
  let handle: KoffiHandle | undefined;
  let handed: NodeJS.Immediate | undefined;
  let failed = false;
  let referenced = true;

  const start = (): void => {
    handle = poll(fd, { readable: true }, (status) => {
      failed ||= status < 0;
      // The addon calls without Node's callback scope, so promises resolved here would lie until something else
      // wakes the loop. An immediate runs in the same turn of the loop and has the scope.
      handed ??= setImmediate(handOn);
    });
    if (!referenced) handle.unref();
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
  const setReferenced = (value: boolean): void => {
    if (referenced === value) return;
    referenced = value;
    if (value) handle?.ref();
    else handle?.unref();
  };

  start();
  return {
    stop: () => {
      clearImmediate(handed);
      handed = undefined;
      handle?.close();
      handle = undefined;
    },
    ref: () => setReferenced(true),
    unref: () => setReferenced(false),
  };
}

/** The same for what is watched until it is closed, and keeps the process alive until then. */
export function pollReadable(fd: number, onReady: (socketError: number) => void): StopPolling {
  return watchReadable(fd, onReady).stop;
}
