import { setTimeout as pause } from 'node:timers/promises';
import type { UplinkSource, UplinkState } from '../../node/ports.ts';
import { chooseMaster, type MasterChoice } from '../../node/uplink.ts';
import { CniError } from '../spec/errors.ts';

/** At boot pods may come before the host's network: so long an ADD waits for it. */
const PATIENCE_MS = 20_000;
const LOOK_EVERY_MS = 200;

/** The uplink as it is now. Throws CniError 100 or 101. */
export async function chooseUplink(source: UplinkSource, master: MasterChoice): Promise<UplinkState> {
  const uplink = await chooseMaster(source, master);
  if (uplink.ok) return uplink.value;
  const kind = uplink.error.kind === 'missing' ? 'uplink-missing' : 'uplink-down';
  throw new CniError(kind, uplink.error.text);
}

/** The same, waited for. Throws CniError 100 or 101 when it does not come, and what aborts the signal. */
export async function masterComes(
  source: UplinkSource,
  master: MasterChoice,
  signal: AbortSignal,
): Promise<UplinkState> {
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await chooseUplink(source, master);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof CniError) || performance.now() > until) throw error;
    }
    await pause(LOOK_EVERY_MS);
  }
}
