import { ifnameProblem } from '../base/ifname.ts';
import { isSysError, SysError } from '../base/sys-error.ts';
import type { Mac } from '../base/mac.ts';
import {
  deleteLinkRequest,
  getLinkRequest,
  isLongName,
  listLinksRequest,
  newLinkRequest,
  setLinkRequest,
  type LinkChange,
  type NewLink,
} from '../wire/netlink/link-requests.ts';
import { decodeLink, RTM_NEWLINK, type Link, type MacvlanMode } from '../wire/netlink/link.ts';
import { decodeInSlices } from './netlink-decode.ts';
import { decodeAll } from './netlink-fd.ts';
import type { NetlinkSocket } from './netlink-socket.ts';

export type NewMacvlan = {
  readonly name: string;
  /** The device below, an index of the socket's namespace. */
  readonly masterIndex: number;
  /** The link is made in this namespace; in the socket's own if left out. */
  readonly netnsFd?: number | undefined;
  readonly mac?: Mac | undefined;
  readonly mtu?: number | undefined;
  readonly mode: MacvlanMode;
  readonly bcQueueLen?: number | undefined;
  readonly up: boolean;
};

/** The interfaces of the socket's namespace. Everything rejects with SysError. */
export class Links {
  readonly #socket: NetlinkSocket;

  constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  /** Undefined when there is none with this name, alternative name or index. */
  async get(link: string | number): Promise<Link | undefined> {
    const request = getLinkRequest(link);
    try {
      const messages = await this.#socket.get(request);
      return decodeAll(request.op, messages, RTM_NEWLINK, decodeLink)[0];
    } catch (error) {
      // ERANGE: longer than any name.
      if (isSysError(error, 'ENODEV', 'ERANGE')) return undefined;
      // Kernels before 5.5 have no alternative names, and see no name at all in the request.
      if (isSysError(error, 'EINVAL') && isLongName(link)) return undefined;
      throw error;
    }
  }

  async list(): Promise<readonly Link[]> {
    const request = listLinksRequest();
    return decodeInSlices(request.op, await this.#socket.dump(request), RTM_NEWLINK, decodeLink);
  }

  /**
   * EEXIST when the name is taken in the target namespace, EINVAL for one that the kernel refuses or would read
   * otherwise: then it would make an interface that nobody finds again.
   */
  async add(link: NewLink): Promise<void> {
    const problem = ifnameProblem(link.name);
    if (problem !== undefined) {
      throw new SysError('RTM_NEWLINK', 'EINVAL', `the name ${JSON.stringify(link.name)} ${problem}`);
    }
    await this.#socket.request(newLinkRequest(link));
  }

  /**
   * One message: the link appears in its namespace with final name, MAC and MTU, and up if asked for.
   * ENODEV without a master, EINVAL for an MTU above the master's, EEXIST for a name taken.
   */
  async addMacvlan(link: NewMacvlan): Promise<void> {
    await this.add({ ...link, kind: 'macvlan' });
  }

  async set(change: LinkChange): Promise<void> {
    await this.#socket.request(setLinkRequest(change));
  }

  /** ENODEV when it is gone already. Takes 20 ms and more, off the loop and in the slow lane. */
  async delete(index: number): Promise<void> {
    await this.#socket.request(deleteLinkRequest(index), 'rcu');
  }
}
