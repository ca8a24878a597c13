import { toHex } from '../../../src/base/bytes.ts';
import { IPV4_ANY, ipv4, type Ipv4, ipv4FromNumber, ipv4ToNumber } from '../../../src/base/ipv4.ts';
import type { Mac } from '../../../src/base/mac.ts';
import type { Dhcp4Message } from '../../../src/wire/dhcp4/message.ts';
import { makeOptions, type OptionValues, readOption } from '../../../src/wire/dhcp4/options.ts';
import {
  DHCPACK,
  DHCPDECLINE,
  DHCPDISCOVER,
  DHCPNAK,
  DHCPOFFER,
  DHCPRELEASE,
  DHCPREQUEST,
  typeOf,
} from './ledger.ts';

/** How long an offered address is kept for the client that it was offered to. */
const OFFER_MS = 60_000;
const DECLINED_MS = 3_600_000;

export type Pool = { readonly first: Ipv4; readonly size: number };
type Binding = {
  readonly address: Ipv4;
  readonly client: Mac;
  readonly until: number;
  readonly committed: boolean;
};

export type ServerWorld = {
  readonly now: () => number;
  /** Whether somebody else answers for the address (servers ask before they offer); false where it does not ask. */
  readonly isTaken: (address: Ipv4, client: Mac) => boolean;
};

/** A DHCP server as servers are, with the switches that an administrator or a fault turns. */
export class SimServer {
  readonly ip: Ipv4;
  readonly mac: Mac;
  pool: Pool;
  leaseSecs = 3600;
  /** Options of every OFFER and ACK beside the needed ones. */
  options: OptionValues = {};
  mood: 'sane' | 'silent' | 'refuses-all' = 'sane';
  /** Extends what it does not know when it is free (dnsmasq); else refuses it. */
  adopts = true;
  readonly #world: ServerWorld;
  readonly #bindings = new Map<string, Binding>();
  readonly #owners = new Map<Ipv4, string>();
  readonly #declined = new Map<Ipv4, number>();
  #nextFree = 0;

  constructor(world: ServerWorld, ip: Ipv4, mac: Mac, pool: Pool) {
    this.#world = world;
    this.ip = ip;
    this.mac = mac;
    this.pool = pool;
  }

  /** Given out for good at this moment. */
  get held(): readonly { readonly address: Ipv4; readonly client: Mac }[] {
    const now = this.#world.now();
    return [...this.#bindings.values()]
      .filter(({ until, committed }) => committed && until > now)
      .map(({ address, client }) => ({ address, client }));
  }

  forgetAll(): void {
    this.#bindings.clear();
    this.#owners.clear();
    this.#declined.clear();
  }

  answer(message: Dhcp4Message): Dhcp4Message | undefined {
    if (this.mood === 'silent') return undefined;
    const id = toHex(message.options.get(61) ?? new Uint8Array()) || message.chaddr;
    switch (typeOf(message)) {
      case DHCPDISCOVER: {
        const wish = readOption(message.options, 'dhcp-requested-address');
        const address = this.#choose(id, message.chaddr, wish.kind === 'value' ? wish.value : undefined);
        if (address === undefined) return undefined;
        this.#bind(id, { address, client: message.chaddr }, OFFER_MS, false);
        return this.#reply(message, DHCPOFFER, address);
      }
      case DHCPREQUEST:
        return this.#request(id, message);
      case DHCPRELEASE:
        if (this.#isMine(message) && this.#bindings.get(id)?.address === message.ciaddr) this.#drop(id);
        return undefined;
      case DHCPDECLINE: {
        const what = readOption(message.options, 'dhcp-requested-address');
        if (!this.#isMine(message) || what.kind !== 'value') return undefined;
        this.#declined.set(what.value, this.#world.now() + DECLINED_MS);
        if (this.#bindings.get(id)?.address === what.value) this.#drop(id);
        return undefined;
      }
      default:
        return undefined;
    }
  }

  #isMine(message: Dhcp4Message): boolean {
    const server = readOption(message.options, 'dhcp-server-identifier');
    return server.kind !== 'value' || server.value === this.ip;
  }

  #request(id: string, message: Dhcp4Message): Dhcp4Message | undefined {
    const known = this.#bindings.get(id);
    if (!this.#isMine(message)) {
      if (known !== undefined && !known.committed) this.#drop(id);
      return undefined;
    }
    if (this.mood === 'refuses-all') return this.#reply(message, DHCPNAK, IPV4_ANY);
    const requested = readOption(message.options, 'dhcp-requested-address');
    const renews = message.ciaddr !== IPV4_ANY;
    const wanted = renews || requested.kind !== 'value' ? message.ciaddr : requested.value;
    const adopted = known === undefined && renews && this.adopts && this.#isFree(wanted, id, message.chaddr);
    if (known?.address !== wanted && !adopted) return this.#reply(message, DHCPNAK, IPV4_ANY);
    // An address that is not of the pool any more is not extended.
    if (!this.#isInPool(wanted)) {
      this.#drop(id);
      return this.#reply(message, DHCPNAK, IPV4_ANY);
    }
    const ms = this.leaseSecs === 0xffffffff ? Infinity : this.leaseSecs * 1000;
    this.#bind(id, { address: wanted, client: message.chaddr }, ms, true);
    return this.#reply(message, DHCPACK, wanted);
  }

  #isInPool(address: Ipv4): boolean {
    const at = ipv4ToNumber(address) - ipv4ToNumber(this.pool.first);
    return at >= 0 && at < this.pool.size;
  }

  #isFree(address: Ipv4, id: string, client: Mac): boolean {
    if (!this.#isInPool(address)) return false;
    const now = this.#world.now();
    if ((this.#declined.get(address) ?? 0) > now) return false;
    const owner = this.#owners.get(address);
    if (owner !== undefined && owner !== id) {
      if ((this.#bindings.get(owner)?.until ?? 0) > now) return false;
      this.#drop(owner);
    }
    return !this.#world.isTaken(address, client);
  }

  #choose(id: string, client: Mac, wish: Ipv4 | undefined): Ipv4 | undefined {
    const mine = this.#bindings.get(id)?.address;
    if (mine !== undefined && this.#isFree(mine, id, client)) return mine;
    if (wish !== undefined && this.#isFree(wish, id, client)) return wish;
    for (let i = 0; i < this.pool.size; i++) {
      const at = (this.#nextFree + i) % this.pool.size;
      const address = ipv4FromNumber(ipv4ToNumber(this.pool.first) + at);
      if (!this.#isFree(address, id, client)) continue;
      this.#nextFree = at;
      return address;
    }
    return undefined;
  }

  #bind(id: string, to: Pick<Binding, 'address' | 'client'>, ms: number, committed: boolean): void {
    const { address } = to;
    const until = this.#world.now() + ms;
    const before = this.#bindings.get(id);
    // An OFFER to a client that has a lease does not shorten it.
    if (!committed && before !== undefined && before.address === address && before.until > until) return;
    this.#drop(id);
    this.#bindings.set(id, { ...to, until, committed });
    this.#owners.set(address, id);
  }

  #drop(id: string): void {
    const binding = this.#bindings.get(id);
    if (binding === undefined) return;
    this.#bindings.delete(id);
    if (this.#owners.get(binding.address) === id) this.#owners.delete(binding.address);
  }

  #reply(
    to: Dhcp4Message,
    type: typeof DHCPOFFER | typeof DHCPACK | typeof DHCPNAK,
    yiaddr: Ipv4,
  ): Dhcp4Message {
    const nak = type === DHCPNAK;
    const granted: OptionValues = {
      'dhcp-lease-time': this.leaseSecs,
      'subnet-mask': ipv4('255.255.0.0'),
      routers: [this.ip],
      ...this.options,
    };
    return {
      ...to,
      op: 'reply',
      ciaddr: IPV4_ANY,
      yiaddr,
      broadcast: nak || to.broadcast,
      options: makeOptions({
        'dhcp-message-type': type,
        'dhcp-server-identifier': this.ip,
        ...(nak ? { 'dhcp-message': 'not yours' } : granted),
      }),
    };
  }
}
