import type { Ip } from '../base/ip.ts';
import type { Namespace } from './namespace.ts';

/** One SYN and its first repetition after a second (tcp(7)): what is not answered by then does not come. */
const DEFAULT_TIMEOUT_MS = 2500;
const MAX_ANSWER_BYTES = 64 * 1024;
/** bash opens TCP connections itself, in two milliseconds; Debian has it everywhere, unlike curl. */
const SCRIPT =
  'exec 3<>"/dev/tcp/$1/$2" && printf "GET / HTTP/1.0\\r\\nHost: %s\\r\\n\\r\\n" "$1" >&3 && cat <&3';

export type Endpoint = { readonly address: Ip; readonly port: number };

export type AskOptions = {
  /** For connection and answer together. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
};

/** The body of what an HTTP server there answers to `GET /`; undefined when nothing came in time, or nothing of HTTP. */
export async function ask(
  from: Namespace,
  to: Endpoint,
  options: AskOptions = {},
): Promise<string | undefined> {
  const outcome = await from.runToEnd(['bash', '--norc', '-c', SCRIPT, 'bash', to.address, String(to.port)], {
    timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    maxOutputBytes: MAX_ANSWER_BYTES,
    signal: options.signal,
  });
  options.signal?.throwIfAborted();
  const body = outcome.stdout.indexOf('\r\n\r\n');
  if (outcome.status !== 0 || !outcome.stdout.startsWith('HTTP/1.') || body === -1) return undefined;
  return outcome.stdout.slice(body).trim();
}
