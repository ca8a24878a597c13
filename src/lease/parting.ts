import type { Cidr } from '../base/cidr.ts';
import type { Ipv4 } from '../base/ipv4.ts';
import type { Mac } from '../base/mac.ts';
import { isSysError, type SysError } from '../base/sys-error.ts';
import { millis } from '../base/time.ts';
import type { Dhcp4Effect } from '../protocol/dhcp4/step.ts';
import { emitDhcp4 } from '../wire/dhcp4/message.ts';
import type { Exchange } from './exchange.ts';
import type { PodNamespace } from './ports.ts';

/** A RELEASE that waits for ARP may hold up a DEL this long, no longer. */
const DRAIN_LIMIT = millis(500);

export type Send = Extract<Dhcp4Effect, { readonly type: 'send' }>;

/** The machine that takes the pod's messages for the server: itself, or the router to it. */
export type LastWay = {
  readonly hop: Ipv4;
  /** Where the pod's kernel takes it to be; undefined when it has to ask by ARP. */
  readonly known: () => Mac | undefined;
  /** Where it is; undefined when nobody answers. */
  readonly ask: (known: Mac) => Promise<Mac | undefined>;
};

/**
 * Sends the last messages of a lease out of its pod, from the address that is given back, which is put on the
 * interface for the moment if it is not there. Undefined when the kernel has sent them, and to the machine that has
 * the address of `way.hop` now (`way` undefined: nobody can say that); else why not, and the host has to see to it.
 *
 * A router that was replaced, or whose part another one took over (VRRP, RFC 5798), is no longer where the pod's kernel
 * sends to, and no answer is missed. That is found out first: once the RELEASE is sent, the address has to go.
 */
export async function partFrom(
  pod: PodNamespace,
  exchange: Exchange,
  from: { readonly index: number; readonly address: Cidr<Ipv4> },
  messages: readonly Send[],
  way?: LastWay,
): Promise<string | undefined> {
  exchange.lend(pod);
  try {
    const known = way?.known();
    const now = known === undefined ? undefined : await way?.ask(known);
    if (known !== undefined && now !== undefined && now !== known)
      return `${way?.hop} is at ${now} now, the pod took it to be at ${known}`;
    let failed = tellAll(exchange, messages);
    if (failed !== undefined) {
      // There is no such source address: not yet configured, or taken off by somebody.
      await pod.ensureAddress(from.index, from.address);
      failed = tellAll(exchange, messages);
    }
    if (failed !== undefined) return failed.message;
    if (!(await exchange.drain(DRAIN_LIMIT))) return 'the server did not answer ARP';
    if (way === undefined || now !== undefined) return undefined;
    if (known !== undefined) return `nobody answers ARP for ${way.hop}`;
    // The kernel did not know the way, so it asked a moment ago.
    return way.known() === undefined ? `the pod did not send by way of ${way.hop}` : undefined;
  } catch (error) {
    if (!isSysError(error)) throw error;
    return error.message;
  } finally {
    exchange.lend(undefined);
    exchange.end();
  }
}

function tellAll(exchange: Exchange, messages: readonly Send[]): SysError | undefined {
  for (const { message, via } of messages) {
    const failed = exchange.tell(emitDhcp4(message), via);
    if (failed !== undefined) return failed;
  }
  return undefined;
}
