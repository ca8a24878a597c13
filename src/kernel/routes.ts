import { SysError } from '../base/sys-error.ts';
import {
  addRouteRequest,
  appendRouteRequest,
  deleteRouteRequest,
  findRouteRequest,
  listRoutesRequest,
  replaceRouteRequest,
  type RouteFilter,
  type RouteQuestion,
} from '../wire/netlink/route-requests.ts';
import {
  decodeRoute,
  RT_TABLE_MAIN,
  RT_TABLE_UNSPEC,
  RTM_NEWROUTE,
  type NewRoute,
  type Route,
} from '../wire/netlink/route.ts';
import { decodeInSlices } from './netlink-decode.ts';
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

  /** The one that a packet would take. Rejects as sending would: ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL. */
  async find(question: RouteQuestion): Promise<Route> {
    const request = findRouteRequest(question);
    const [route] = decodeAll(request.op, await this.#socket.get(request), RTM_NEWROUTE, decodeRoute);
    if (route === undefined) throw new SysError(request.op, 'EBADMSG', 'no route in the answer');
    return route;
  }

  /**
   * One table of one family, or all of them (RT_TABLE_UNSPEC): all or what `filter` leaves. A table or link that does
   * not exist has no routes.
   */
  async list(
    family: 4 | 6,
    table: number = RT_TABLE_MAIN,
    filter: RouteFilter = {},
  ): Promise<readonly Route[]> {
    const request = listRoutesRequest(family, table, filter);
    const messages = await this.#socket.dump(request, ['ENOENT', 'ENODEV']);
    const routes = await decodeInSlices(request.op, messages, RTM_NEWROUTE, decodeRoute);
    // Kernels before 4.20 do not filter.
    const isAsked = (route: Route): boolean => table === RT_TABLE_UNSPEC || route.table === table;
    return routes.filter((route) => isAsked(route) && passes(route, filter));
  }
}

function passes(route: Route, { index, protocol, type }: RouteFilter): boolean {
  const leavesBy = (link: number): boolean =>
    route.nexthops === undefined ? route.index === link : route.nexthops.some((hop) => hop.index === link);
  return (
    (index === undefined || leavesBy(index)) &&
    (protocol === undefined || route.protocol === protocol) &&
    (type === undefined || route.type === type)
  );
}
