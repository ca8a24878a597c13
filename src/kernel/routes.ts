import {
  addRouteRequest,
  appendRouteRequest,
  deleteRouteRequest,
  listRoutesRequest,
  replaceRouteRequest,
} from '../wire/netlink/route-requests.ts';
import {
  decodeRoute,
  RT_TABLE_MAIN,
  RTM_NEWROUTE,
  type NewRoute,
  type Route,
} from '../wire/netlink/route.ts';
import { decodeAll } from './netlink-fd.ts';
import type { NetlinkSocket } from './netlink-socket.ts';

/** The routes of the socket's namespace. Everything rejects with SysError. */
export class Routes {
  readonly #socket: NetlinkSocket;

  constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  /** EEXIST when destination, table and metric are taken; ENETUNREACH when the gateway is not on a link. */
  async add(route: NewRoute): Promise<void> {
    await this.#socket.request(addRouteRequest(route));
  }

  async replace(route: NewRoute): Promise<void> {
    await this.#socket.request(replaceRouteRequest(route));
  }

  /** Beside a route of another interface to the same destination, which keeps its place. */
  async append(route: NewRoute): Promise<void> {
    await this.#socket.request(appendRouteRequest(route));
  }

  /** ESRCH when there is none. */
  async delete(route: NewRoute): Promise<void> {
    await this.#socket.request(deleteRouteRequest(route));
  }

  /** One table of one family; a table that does not exist has no routes. */
  async list(family: 4 | 6, table: number = RT_TABLE_MAIN): Promise<readonly Route[]> {
    const request = listRoutesRequest(family, table);
    const messages = await this.#socket.dump(request, ['ENOENT']);
    // Kernels before 4.20 do not filter.
    return decodeAll(request.op, messages, RTM_NEWROUTE, decodeRoute).filter(
      (route) => route.table === table,
    );
  }
}
