import type { Ipv4 } from '../../../src/base/ipv4.ts';
import type { Mac } from '../../../src/base/mac.ts';
import { DHCP_MESSAGE_TYPE } from '../../../src/wire/dhcp4/message-type.ts';
import type { Dhcp4Message } from '../../../src/wire/dhcp4/message.ts';
import { readOption } from '../../../src/wire/dhcp4/options.ts';

const INFINITE_SECONDS = 0xffffffff;
/** What a client may assume when there is no lease time; as long as any in the simulation is also enough. */
const NO_TIME_SECONDS = 3600;

type Promised = { readonly until: number; readonly madeAt: number; readonly by: Ipv4 };

/**
 * What servers have promised to clients and not been told to take back: the truth about who may use which address,
 * independent of what the client believes.
 */
export class Ledger {
  readonly #promises = new Map<Mac, Map<Ipv4, Promised>>();

  /** An ACK as it left its server. Returns until when the address may be used. */
  acknowledged(ack: Dhcp4Message, now: number, by: Ipv4): number {
    const time = readOption(ack.options, 'dhcp-lease-time');
    const seconds = time.kind === 'value' ? time.value : NO_TIME_SECONDS;
    const until = seconds === INFINITE_SECONDS ? Infinity : now + seconds * 1000;
    const mine = this.#promises.get(ack.chaddr) ?? new Map<Ipv4, Promised>();
    const before = mine.get(ack.yiaddr);
    // A later, shorter promise does not break the earlier one.
    mine.set(ack.yiaddr, { until: Math.max(until, before?.until ?? 0), madeAt: now, by });
    this.#promises.set(ack.chaddr, mine);
    return until;
  }

  /** A RELEASE or DECLINE that was sent at `sentAt`: of what was promised later it knows nothing. */
  returned(client: Mac, address: Ipv4, sentAt: number): void {
    const mine = this.#promises.get(client);
    const promised = mine?.get(address);
    if (promised !== undefined && promised.madeAt <= sentAt) mine?.delete(address);
  }

  /** Until when this client may use the address; 0 when never. */
  until(client: Mac, address: Ipv4): number {
    return this.#promises.get(client)?.get(address)?.until ?? 0;
  }

  /** The server that promised it last. */
  by(client: Mac, address: Ipv4): Ipv4 | undefined {
    return this.#promises.get(client)?.get(address)?.by;
  }

  forget(client: Mac): void {
    this.#promises.delete(client);
  }
}

export function typeOf(message: Dhcp4Message): number | undefined {
  const type = readOption(message.options, 'dhcp-message-type');
  return type.kind === 'value' ? type.value : undefined;
}

export const { DHCPDISCOVER, DHCPOFFER, DHCPREQUEST, DHCPDECLINE, DHCPACK, DHCPNAK, DHCPRELEASE } =
  DHCP_MESSAGE_TYPE;
