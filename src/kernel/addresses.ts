import {
  addAddressRequest,
  decodeAddress,
  deleteAddressRequest,
  listAddressesRequest,
  replaceAddressRequest,
  RTM_NEWADDR,
  type Address,
  type NewAddress,
} from '../wire/netlink/address.ts';
import { decodeInSlices } from './netlink-decode.ts';
import type { NetlinkSocket } from './netlink-socket.ts';

/** The IP addresses of the socket's namespace. Everything rejects with SysError. */
export class Addresses {
  readonly #socket: NetlinkSocket;

  constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  /** EEXIST when the link has it already. */
  async add(address: NewAddress): Promise<void> {
    await this.#socket.request(addAddressRequest(address));
  }

  /** Adds it, or gives an address that is there new lifetimes and flags. */
  async replace(address: NewAddress): Promise<void> {
    await this.#socket.request(replaceAddressRequest(address));
  }

  /** EADDRNOTAVAIL when it is not there. */
  async delete(address: Pick<NewAddress, 'index' | 'cidr'>): Promise<void> {
    await this.#socket.request(deleteAddressRequest(address));
  }

  /** Those of one link, or all. None too when the link is gone. */
  async list(index?: number): Promise<readonly Address[]> {
    const request = listAddressesRequest(index);
    const messages = await this.#socket.dump(request, ['ENODEV']);
    const addresses = await decodeInSlices(request.op, messages, RTM_NEWADDR, decodeAddress);
    // Kernels before 4.20 do not filter.
    return index === undefined ? addresses : addresses.filter((address) => address.index === index);
  }
}
