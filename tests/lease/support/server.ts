import { toHex } from '../../../src/base/bytes.ts';
import { IPV4_ANY, ipv4, ipv4FromNumber, type Ipv4, ipv4ToNumber } from '../../../src/base/ipv4.ts';
import { DHCP_MESSAGE_TYPE, type DhcpMessageType } from '../../../src/wire/dhcp4/message-type.ts';
import type { Dhcp4Message } from '../../../src/wire/dhcp4/message.ts';
import { makeOptions, type OptionValues, readOption } from '../../../src/wire/dhcp4/options.ts';

export const SERVER = ipv4('192.168.1.1');
const FIRST = ipv4('192.168.1.100');
/** How long an offered address is kept for the client that it was offered to. */
const OFFER_MS = 10_000;

type Binding = { readonly address: Ipv4; readonly until: number; readonly committed: boolean };

/** A small, sane DHCP server with a pool, and with switches for what servers do wrong. Clients are known by option 61. */
export class DhcpServer {
  leaseSecs = 3600;
  poolSize = 250;
  /** Options of every OFFER and ACK beside the needed ones. */
  options: OptionValues = {};
  /** The same of every ACK alone. */
  ackOptions: OptionValues = {};
  /** `ack-lost`: it commits, and its answer is lost. */
  mood: 'sane' | 'silent' | 'refusing' | 'offers-only' | 'ack-lost' = 'sane';
  /** A declined address is not offered any more. */
  avoidDeclined = false;
  readonly #declined = new Set<Ipv4>();
  readonly released: Ipv4[] = [];
  readonly #now: () => number;
  readonly #bindings = new Map<string, Binding>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** The addresses that are given out for good at this moment. */
  get held(): readonly Ipv4[] {
    return [...this.#bindings.values()]
      .filter(({ until, committed }) => committed && until > this.#now())
      .map(({ address }) => address);
  }

  forgetAll(): void {
    this.#bindings.clear();
  }

  /** Moves clients to another address, as an administrator does: all of them, or the one with this identifier. */
  rebind(address: Ipv4, only?: string): void {
    for (const [id, binding] of this.#bindings) {
      if (only === undefined || only === id) this.#bindings.set(id, { ...binding, address });
    }
  }

  answer(message: Dhcp4Message): Dhcp4Message | undefined {
    const type = readOption(message.options, 'dhcp-message-type');
    if (type.kind !== 'value' || this.mood === 'silent') return undefined;
    // RFC 2131 4.2: without an identifier the hardware address is one.
    const named = message.options.get(61);
    const id = named === undefined ? message.chaddr : toHex(named);
    switch (type.value) {
      case DHCP_MESSAGE_TYPE.DHCPDISCOVER: {
        const wish = readOption(message.options, 'dhcp-requested-address');
        const address = this.#bind(id, OFFER_MS, false, wish.kind === 'value' ? wish.value : undefined);
        return address === undefined ? undefined : this.#reply(message, DHCP_MESSAGE_TYPE.DHCPOFFER, address);
      }
      case DHCP_MESSAGE_TYPE.DHCPREQUEST:
        return this.#request(id, message);
      case DHCP_MESSAGE_TYPE.DHCPRELEASE:
        if (this.#bindings.get(id)?.address === message.ciaddr) this.#bindings.delete(id);
        this.released.push(message.ciaddr);
        return undefined;
      case DHCP_MESSAGE_TYPE.DHCPDECLINE: {
        const declined = readOption(message.options, 'dhcp-requested-address');
        if (this.avoidDeclined && declined.kind === 'value') this.#declined.add(declined.value);
        this.#bindings.delete(id);
        return undefined;
      }
      default:
        return undefined;
    }
  }

  #request(id: string, message: Dhcp4Message): Dhcp4Message | undefined {
    if (this.mood === 'offers-only') return undefined;
    const server = readOption(message.options, 'dhcp-server-identifier');
    if (server.kind === 'value' && server.value !== SERVER) return undefined;
    const requested = readOption(message.options, 'dhcp-requested-address');
    const wanted = requested.kind === 'value' ? requested.value : message.ciaddr;
    const known = this.#bindings.get(id)?.address;
    if (this.mood === 'refusing') return this.#reply(message, DHCP_MESSAGE_TYPE.DHCPNAK, IPV4_ANY);
    // A renewal after an administrator's change is moved; anything else that does not fit is refused.
    if (known === undefined || (known !== wanted && message.ciaddr === IPV4_ANY)) {
      return this.#reply(message, DHCP_MESSAGE_TYPE.DHCPNAK, IPV4_ANY);
    }
    this.#bind(id, this.leaseSecs * 1000, true);
    return this.mood === 'ack-lost' ? undefined : this.#reply(message, DHCP_MESSAGE_TYPE.DHCPACK, known);
  }

  #bind(id: string, ms: number, committed: boolean, wish?: Ipv4): Ipv4 | undefined {
    const now = this.#now();
    const mine = this.#bindings.get(id);
    const address = mine?.address ?? this.#free(wish);
    if (address === undefined) return undefined;
    // An OFFER to a client that has a lease does not shorten it.
    const keep = mine !== undefined && mine.committed && !committed && mine.until > now;
    if (!keep) this.#bindings.set(id, { address, until: now + ms, committed });
    return address;
  }

  /** What a client wishes for, else the first one (RFC 2131 4.3.1). */
  #free(wish: Ipv4 | undefined): Ipv4 | undefined {
    const now = this.#now();
    for (const [id, { until }] of this.#bindings) if (until <= now) this.#bindings.delete(id);
    const taken = new Set(
      [...this.#bindings.values()].map(({ address }) => address).concat(...this.#declined),
    );
    const place = wish === undefined ? -1 : ipv4ToNumber(wish) - ipv4ToNumber(FIRST);
    if (wish !== undefined && place >= 0 && place < this.poolSize && !taken.has(wish)) return wish;
    for (let i = 0; i < this.poolSize; i++) {
      const address = ipv4FromNumber(ipv4ToNumber(FIRST) + i);
      if (!taken.has(address)) return address;
    }
    return undefined;
  }

  #reply(to: Dhcp4Message, type: DhcpMessageType, yiaddr: Ipv4): Dhcp4Message {
    const granted: OptionValues = {
      'dhcp-lease-time': this.leaseSecs,
      'subnet-mask': ipv4('255.255.0.0'),
      routers: [SERVER],
      ...this.options,
      ...(type === DHCP_MESSAGE_TYPE.DHCPACK ? this.ackOptions : {}),
    };
    const nak = type === DHCP_MESSAGE_TYPE.DHCPNAK;
    return {
      ...to,
      op: 'reply',
      yiaddr,
      broadcast: nak || to.broadcast,
      options: makeOptions({
        'dhcp-message-type': type,
        'dhcp-server-identifier': SERVER,
        ...(nak ? { 'dhcp-message': 'not yours' } : granted),
      }),
    };
  }
}
