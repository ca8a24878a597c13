import { isSysError, type SysError } from '../base/sys-error.ts';
import type { NetlinkRequest } from '../wire/netlink/message.ts';
import { decodeNsid, getNsidRequest, newNsidRequest, RTM_NEWNSID } from '../wire/netlink/nsid.ts';
import { Addresses } from './addresses.ts';
import { Links } from './links.ts';
import type { DumpLimit } from './netlink-dump.ts';
import { decodeAll } from './netlink-fd.ts';
import { Neighbours } from './neighbours.ts';
import { NetlinkSocket } from './netlink-socket.ts';
import type { NetNs } from './netns.ts';
import { Routes } from './routes.ts';
import { Rules } from './rules.ts';

/** Links, addresses, routes, rules and neighbours of one namespace over one netlink socket. */
export class Rtnl implements AsyncDisposable {
  readonly links: Links;
  readonly addresses: Addresses;
  readonly routes: Routes;
  readonly neighbours: Neighbours;
  readonly rules: Rules;
  readonly #socket: NetlinkSocket;

  private constructor(socket: NetlinkSocket) {
    this.#socket = socket;
    this.links = new Links(socket);
    this.addresses = new Addresses(socket);
    this.routes = new Routes(socket);
    this.neighbours = new Neighbours(socket);
    this.rules = new Rules(socket);
  }

  /** In the daemon's own namespace if none is given. `limit`: of each list, beyond which it is an E2BIG. */
  static open(netns?: NetNs, limit?: DumpLimit): Rtnl {
    return new Rtnl(NetlinkSocket.open(netns, limit));
  }

  /** What the kernel's notices of its changes name as their origin. Throws SysError. */
  get portId(): number {
    return this.#socket.portId;
  }

  /** Several changes at the price of one, in order; see NetlinkSocket.batch. */
  batch(requests: readonly NetlinkRequest[]): Promise<readonly (SysError | undefined)[]> {
    return this.#socket.batch(requests);
  }

  /** The id that this socket's namespace has for another (ip-netns, "nsid"); undefined or -1 when it has none. */
  async namespaceId(other: NetNs): Promise<number | undefined> {
    const request = getNsidRequest(other.fd);
    return decodeAll(request.op, await this.#socket.get(request, 'nothing'), RTM_NEWNSID, decodeNsid)[0];
  }

  /** Sees to it that this socket's namespace has an id for another one. Rejects with SysError. */
  async nameNamespace(other: NetNs): Promise<void> {
    try {
      await this.#socket.request(newNsidRequest(other.fd), 'nothing');
    } catch (error) {
      if (!isSysError(error, 'EEXIST')) throw error;
    }
  }

  /** Waits for what is under way. */
  close(): Promise<void> {
    return this.#socket.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
