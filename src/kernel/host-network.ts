import { linkNameProblem } from '../base/ifname.ts';
import type { Link } from '../wire/netlink/link.ts';
import type { Route } from '../wire/netlink/route.ts';
import { type BriefLink, readLink } from './link-ioctl.ts';
import { readSight } from './link-sight.ts';
import { NetNs } from './netns.ts';
import { defaultRoutes } from './pod-routes.ts';
import { Rtnl } from './rtnl.ts';

/** The node's own network namespace: the one in which the daemon was started. */
export class HostNetwork {
  readonly rtnl: Rtnl = Rtnl.open();

  get inode(): string {
    return NetNs.self().inode;
  }

  /** At once: every ADD asks for its uplink, so without a wait for the kernel's lock. */
  peek(name: string): BriefLink | undefined {
    return readLink(name);
  }

  /** By name or alternative name, the answer under its name. Only a long one waits for the kernel's lock. */
  async link(name: string): Promise<BriefLink | undefined> {
    const brief = this.peek(name);
    if (brief !== undefined || linkNameProblem(name) !== undefined) return brief;
    const link = await this.rtnl.links.get(name);
    return link && this.peek(link.name);
  }

  /** By index, whatever it is called now; undefined when it is gone. */
  sight(index: number): BriefLink | undefined {
    return readSight(index, undefined, undefined);
  }

  linkByIndex(index: number): Promise<Link | undefined> {
    return this.rtnl.links.get(index);
  }

  links(): Promise<readonly Link[]> {
    return this.rtnl.links.list();
  }

  defaultRoutes(): Promise<readonly Route[]> {
    return defaultRoutes(this.rtnl);
  }

  close(): Promise<void> {
    return this.rtnl.close();
  }
}
