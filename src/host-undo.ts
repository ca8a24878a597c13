import { join } from 'node:path';
import { openHostSide } from './daemon-host.ts';
import { lockFile } from './kernel/file-lock.ts';
import { HostNetwork } from './kernel/host-network.ts';
import { openTimers } from './kernel/timers.ts';

/**
 * Takes off the node what the daemon put there (shims with their routes and neighbours, nftables tables) and puts back
 * the sysctls that it changed. Pods stay as they are. Gives lines for a person. Rejects with an Error while a daemon
 * runs, which would put all of it back.
 */
export async function undoHost(stateDir: string): Promise<readonly string[]> {
  await using ends = new AsyncDisposableStack();
  const lock = lockFile(join(stateDir, 'lock'));
  if (!lock.ok && lock.error.code === 'ENOENT') return [];
  if (!lock.ok)
    throw new Error(`${stateDir}: a daemon uses this folder; stop it first`, { cause: lock.error });
  ends.defer(() => lock.value.release());
  const lines: string[] = [];
  const say = (fields: object, text: string): void => void lines.push(`${text}: ${JSON.stringify(fields)}`);
  const host = new HostNetwork();
  ends.defer(() => host.close());
  const timers = openTimers((error) => say({ error: String(error) }, 'a timer failed'));
  ends.defer(() => timers.close());
  const { side } = await openHostSide({
    stateDir,
    host,
    timers,
    log: { info: say, warn: say, error: say },
    leaseAddress: () => undefined,
    leases: () => [],
    count: () => undefined,
  });
  const { uplinks } = side.status();
  await side.remove();
  return [...lines, ...uplinks.map(({ name, shim }) => `removed ${shim} from ${name}, with its routes`)];
}
