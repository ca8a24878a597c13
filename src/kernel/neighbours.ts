import {
  decodeNeighbour,
  deleteNeighbourRequest,
  listNeighboursRequest,
  type Neighbour,
  type NewNeighbour,
  replaceNeighbourRequest,
  RTM_NEWNEIGH,
} from '../wire/netlink/neighbour.ts';
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

  /** Those of one family on one link. None too when the link is gone. */
  async list(family: 4 | 6, index: number): Promise<readonly Neighbour[]> {
    const request = listNeighboursRequest(family, index);
    const messages = await this.#socket.dump(request, ['ENODEV']);
    // Kernels before 4.20 do not filter.
    return decodeAll(request.op, messages, RTM_NEWNEIGH, decodeNeighbour).filter(
      (neighbour) => neighbour.index === index,
    );
  }
}
