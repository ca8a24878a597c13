import type { Ipv4 } from '../base/ipv4.ts';
import type { Dhcp4Effect } from '../protocol/dhcp4/step.ts';
import { emitDhcp4 } from '../wire/dhcp4/message.ts';
import type { Exchange } from './exchange.ts';

export type Send = Extract<Dhcp4Effect, { readonly type: 'send' }>;

/**
 * Sends the last messages of a lease, from the address that is given back. Undefined when the kernel took them, to the
 * machine that has the address of `hop` now: the server, or the router to it (undefined: nobody can say which). Else why
 * not, and the host has to see to it.
 *
 * A router that was replaced, or whose part another one took over (VRRP, RFC 5798), is no longer where the last answer came
 * from, and no answer is missed. That is found out first: once the RELEASE is sent, the address has to go.
 */
export async function partFrom(
  exchange: Exchange,
  messages: readonly Send[],
  hop: Ipv4 | undefined,
): Promise<string | undefined> {
  try {
    if (messages.length === 0) return undefined;
    if (hop === undefined) return 'the server is outside the network of the lease, which has no router';
    const to = await exchange.find(hop);
    if (to === undefined) return `nobody answers ARP for ${hop}`;
    for (const { message, via } of messages) {
      const failed = exchange.tell(emitDhcp4(message), via, to);
      if (failed !== undefined) return failed.message;
    }
    return undefined;
  } finally {
    exchange.close();
  }
}
