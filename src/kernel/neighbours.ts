import type { Mac } from '../base/mac.ts';
import { decodeForwarding, listForwardingRequest } from '../wire/netlink/forwarding.ts';
import {
  decodeNeighbour,
  deleteNeighbourRequest,
  getNeighbourRequest,
  listNeighboursRequest,
  type Neighbour,
  type NewNeighbour,
  replaceNeighbourRequest,
  RTM_NEWNEIGH,
} from '../wire/netlink/neighbour.ts';
import { isIpv4 } from '../base/ip.ts';
import { isSysError } from '../base/sys-error.ts';
import { decodeInSlices } from './netlink-decode.ts';
import { decodeAll } from './netlink-fd.ts';
import type { NetlinkSocket } from './netlink-socket.ts';

/** Who has which MAC on which link, in the socket's namespace (ip-neighbour(8)). Everything rejects with SysError. */
export class Neighbours {
  readonly #socket: NetlinkSocket;

  constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  /** ENODEV when the link is gone. */
  async replace(neighbour: NewNeighbour): Promise<void> {
    await this.#socket.request(replaceNeighbourRequest(neighbour));
  }

  /** ENOENT when it is not there. */
  async delete(neighbour: Pick<Neighbour, 'index' | 'address'>): Promise<void> {
    await this.#socket.request(deleteNeighbourRequest(neighbour));
  }

  /** Undefined when it is not there, or its link is gone. */
  async get({ index, address }: Pick<Neighbour, 'index' | 'address'>): Promise<Neighbour | undefined> {
    const request = getNeighbourRequest({ index, address });
    try {
      return decodeAll(request.op, await this.#socket.get(request), RTM_NEWNEIGH, decodeNeighbour)[0];
    } catch (error) {
      if (isSysError(error, 'ENOENT', 'ENODEV')) return undefined;
      if (!isSysError(error, 'EOPNOTSUPP')) throw error;
      const all = await this.list(isIpv4(address) ? 4 : 6, index);
      return all.find((one) => one.address === address);
    }
  }

  /** The unicast addresses in a link's own filter, beside its own: those of macvlans on it. None when the link is gone. */
  async filterOf(index: number): Promise<readonly Mac[]> {
    const request = listForwardingRequest(index);
    const messages = await this.#socket.dump(request, ['ENODEV']);
    const entries = await decodeInSlices(request.op, messages, RTM_NEWNEIGH, decodeForwarding);
    return entries
      .filter((entry) => entry.index === index && entry.isOwnFilter && !entry.isGroup)
      .map(({ mac }) => mac);
  }

  /** Those of one family on one link. None too when the link is gone. */
  async list(family: 4 | 6, index: number): Promise<readonly Neighbour[]> {
    const request = listNeighboursRequest(family, index);
    const messages = await this.#socket.dump(request, ['ENODEV']);
    // Kernels before 4.20 do not filter.
    const neighbours = await decodeInSlices(request.op, messages, RTM_NEWNEIGH, decodeNeighbour);
    return neighbours.filter((neighbour) => neighbour.index === index);
  }
}
