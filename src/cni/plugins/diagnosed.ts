import type { PodExtras } from '../../protocol/dhcp4/extras.ts';
import { CniError } from '../spec/errors.ts';
import type { PluginServices } from '../context.ts';

/** What a diagnosis may add to an ADD that has failed already. */
const PATIENCE_MS = 2000;

type Lan = { readonly index: number; readonly name: string };

/**
 * A failed ADD's error, with what is wrong with the LAN as its details where nobody answered and that could be found
 * out. At most two seconds, and no longer than the caller waits (`signal`).
 */
export async function diagnosed(
  error: CniError,
  services: Pick<PluginServices, 'diagnose'>,
  lan: Lan | undefined,
  signal: AbortSignal,
  asked?: PodExtras,
): Promise<CniError> {
  if (error.kind !== 'dhcp-no-answer' || lan === undefined || services.diagnose === undefined) return error;
  const cause = await atMost(services.diagnose(lan, asked), signal);
  return cause === undefined ? error : new CniError(error.kind, error.message, cause, { cause: error });
}

/** Undefined when the time is up first, or nobody waits any more. */
async function atMost(
  diagnosis: Promise<string | undefined>,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (signal.aborted) return undefined;
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const giveUp = (): void => resolve(undefined);
  const timer = setTimeout(giveUp, PATIENCE_MS);
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    return await Promise.race([diagnosis, promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', giveUp);
  }
}
