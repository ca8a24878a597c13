import type { Link } from '../wire/netlink/link.ts';
import type { Route } from '../wire/netlink/route.ts';
import { type BriefLink, readLink } from './link-ioctl.ts';
import { NetNs } from './netns.ts';
import { defaultRoutes } from './pod-network.ts';
import { Rtnl } from './rtnl.ts';

/** The node's own network namespace: the one in which the daemon was started. */
export class HostNetwork {
  readonly rtnl: Rtnl = Rtnl.open();

  get inode(): string {
    return NetNs.self().inode;
  }

  /** Every ADD asks for its uplink, so without a wait for the kernel's lock. */
  async link(name: string): Promise<BriefLink | undefined> {
    return readLink(name);
  }

  linkByIndex(index: number): Promise<Link | undefined> {
    return this.rtnl.links.get(index);
  }

  defaultRoutes(): Promise<readonly Route[]> {
    return defaultRoutes(this.rtnl);
  }

  close(): Promise<void> {
    return this.rtnl.close();
  }
}
