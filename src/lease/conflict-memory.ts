import type { Ipv4 } from '../base/ipv4.ts';
import type { Mac } from '../base/mac.ts';
import { type Instant, later, seconds } from '../base/time.ts';
import type { Clock } from './ports.ts';
import type { LeaseIdentity } from './record.ts';

/** As long as dnsmasq keeps an address back that was declined (DECLINE_BACKOFF): whoever has it may have gone by then. */
const AVOIDED_FOR = seconds(600);
/** Addresses of one LAN; the one that was seen longest ago is forgotten for another. */
const MOST_ADDRESSES = 256;
/** LANs of one node; of those without an interface of the node there is one for each namespace. */
const MOST_LANS = 64;

type Seen = { readonly by: Mac; readonly until: Instant };

/** Addresses that other hosts were seen with, by LAN: a server that ignores DECLINE offers them again and again. */
export class ConflictMemory {
  readonly #clock: Clock;
  readonly #lans = new Map<string, Map<Ipv4, Seen>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  note(identity: LeaseIdentity, address: Ipv4, by: Mac): void {
    const name = lanOf(identity);
    const lan = this.#lans.get(name) ?? new Map<Ipv4, Seen>();
    putLast(this.#lans, name, lan, MOST_LANS);
    putLast(lan, address, { by, until: later(this.#clock.now(), AVOIDED_FOR) }, MOST_ADDRESSES);
  }

  /** Who was seen with the address on the LAN of `identity` a while ago. */
  holderOf(identity: LeaseIdentity, address: Ipv4): Mac | undefined {
    const seen = this.#lans.get(lanOf(identity))?.get(address);
    return seen === undefined || seen.until <= this.#clock.now() ? undefined : seen.by;
  }
}

function lanOf({ lan, netns }: LeaseIdentity): string {
  return lan === undefined ? `netns ${netns.inode}` : `lan ${lan.name}`;
}

/** Where that makes too many, the first one goes. */
function putLast<K, V>(map: Map<K, V>, key: K, value: V, most: number): void {
  map.delete(key);
  map.set(key, value);
  const [first] = map.keys();
  if (map.size > most && first !== undefined) map.delete(first);
}
