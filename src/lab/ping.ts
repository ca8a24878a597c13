import type { Ip } from '../base/ip.ts';
import type { Namespace } from './namespace.ts';
import { mapParallel } from './parallel.ts';

/** At a time; those that are not answered only wait. */
const WIDTH = 16;
/** ping's own limit is one second; this one only catches a ping that hangs. */
const TIMEOUT_MS = 5000;

export type PingOptions = {
  /** Tries until one is answered; the first packet after a new neighbour may be lost. */
  readonly tries?: number;
  readonly signal?: AbortSignal | undefined;
};

/** Whether the address answers an echo request within a second. */
export async function ping(from: Namespace, to: Ip, options: PingOptions = {}): Promise<boolean> {
  for (let tried = 0; tried < (options.tries ?? 1); tried++) {
    const outcome = await from.runToEnd(['ping', '-n', '-q', '-c', '1', '-W', '1', to], {
      timeoutMs: TIMEOUT_MS,
      signal: options.signal,
    });
    if (outcome.status === 0) return true;
    options.signal?.throwIfAborted();
  }
  return false;
}

/** Somebody who pings and is pinged. */
export type Station = { readonly name: string; readonly namespace: Namespace; readonly address: Ip };

/** One row per sender, one column per receiver; undefined on the diagonal. */
export type Matrix = readonly (readonly (boolean | undefined)[])[];

/** Everybody pings everybody, some at a time. */
export async function reachability(stations: readonly Station[], options: PingOptions = {}): Promise<Matrix> {
  const pairs = stations.flatMap((from) => stations.map((to) => ({ from, to })));
  const answers = await mapParallel(pairs, WIDTH, async ({ from, to }) =>
    from === to ? undefined : await ping(from.namespace, to.address, options),
  );
  const size = stations.length;
  return stations.map((_, row) => answers.slice(row * size, (row + 1) * size));
}
