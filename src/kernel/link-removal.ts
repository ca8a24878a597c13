import { encodeBpf } from '../wire/bpf-assembler.ts';
import { linkRemovedProgram } from '../wire/netlink/notice-filter.ts';
import { RTNLGRP_LINK } from './link-watch.ts';
import { openNotices } from './netlink-notices.ts';
import type { NetNs } from './netns.ts';

export type LinkRemoval = {
  /** Resolves when the link has left the namespace; never rejects. */
  readonly gone: Promise<void>;
  readonly close: () => void;
};

/**
 * Hears that a link has left its namespace, which is long before RTM_DELLINK is answered: 0.4 ms instead of 17. The
 * kernel tells it (unregister_netdevice_many_notify in net/core/dev.c) when the link is down and off all lists, and
 * macvlan has given its MAC address back to the device below (macvlan_stop, macvlan_uninit). It still holds the RTNL lock
 * then, so that whoever makes a link next finds name and MAC address free. What the answer waits for after that, without
 * the lock (netdev_run_todo), is that nobody reads the memory of the link any more. Throws SysError.
 */
export function watchRemoval(index: number, netns: NetNs): LinkRemoval {
  const gone = Promise.withResolvers<void>();
  const filter = encodeBpf(linkRemovedProgram(index));
  const socket = netns.run(() =>
    openNotices(
      `watch for the end of #${index}`,
      [RTNLGRP_LINK],
      {
        // The kernel's filter lets nothing else in.
        onMessage: () => {
          gone.resolve();
          return true;
        },
        onLost: () => undefined,
      },
      { filter },
    ),
  );
  return { gone: gone.promise, close: () => socket.close() };
}
