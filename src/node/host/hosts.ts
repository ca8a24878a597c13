import type { Ipv4 } from '../../base/ipv4.ts';
import type { Mac } from '../../base/mac.ts';

type Claim = { readonly owner: string; readonly mac: Mac };

/**
 * The pods of one uplink by address. Two may claim one address: a server that lost its memory hands it out again, or a
 * pod says that it has another one's. The first one counts, and the next has it when that leaves.
 */
export class Hosts {
  readonly #claims = new Map<Ipv4, readonly Claim[]>();
  readonly #macs = new Map<Ipv4, Mac>();

  /** The MAC address that each address is behind now. */
  get macs(): ReadonlyMap<Ipv4, Mac> {
    return this.#macs;
  }

  /** `owner`: whose pod it is, by the name of its attachment. */
  claim(address: Ipv4, owner: string, mac: Mac): void {
    const claims = this.#claims.get(address) ?? [];
    const at = claims.findIndex((one) => one.owner === owner);
    this.#set(address, at < 0 ? [...claims, { owner, mac }] : claims.with(at, { owner, mac }));
  }

  /** Gives the MAC address of who has it from now on; undefined: nobody has. No change for who did not claim it. */
  release(address: Ipv4, owner: string): Mac | undefined {
    this.#set(
      address,
      (this.#claims.get(address) ?? []).filter((one) => one.owner !== owner),
    );
    return this.#macs.get(address);
  }

  has(address: Ipv4, owner: string): boolean {
    return this.#claims.get(address)?.some((one) => one.owner === owner) === true;
  }

  #set(address: Ipv4, claims: readonly Claim[]): void {
    const [first] = claims;
    if (first === undefined) {
      this.#claims.delete(address);
      this.#macs.delete(address);
    } else {
      this.#claims.set(address, claims);
      this.#macs.set(address, first.mac);
    }
  }
}
