import type { Cidr } from '../base/cidr.ts';
import type { Ipv4 } from '../base/ipv4.ts';
import { isSysError, type SysError } from '../base/sys-error.ts';
import { millis } from '../base/time.ts';
import type { Dhcp4Effect } from '../protocol/dhcp4/step.ts';
import { emitDhcp4 } from '../wire/dhcp4/message.ts';
import type { Exchange } from './exchange.ts';
import type { PodNamespace } from './ports.ts';

/** A RELEASE that waits for ARP may hold up a DEL this long, no longer. */
const DRAIN_LIMIT = millis(500);

export type Send = Extract<Dhcp4Effect, { readonly type: 'send' }>;

/**
 * Sends the last messages of a lease out of its pod, from the address that is given back, which is put on the
 * interface for the moment if it is not there. Undefined when the kernel has sent them, else why not.
 */
export async function partFrom(
  pod: PodNamespace,
  exchange: Exchange,
  from: { readonly index: number; readonly address: Cidr<Ipv4> },
  messages: readonly Send[],
): Promise<string | undefined> {
  exchange.lend(pod);
  try {
    let failed = tellAll(exchange, messages);
    if (failed !== undefined) {
      // There is no such source address: not yet configured, or taken off by somebody.
      await pod.ensureAddress(from.index, from.address);
      failed = tellAll(exchange, messages);
    }
    if (failed !== undefined) return failed.message;
    return (await exchange.drain(DRAIN_LIMIT)) ? undefined : 'the server did not answer ARP';
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
