import type { createLog } from '../observe/log.ts';
import { type DaemonConfig, loadConfig } from './config.ts';

/** An orderly end takes well under a second; counted from the signal, a hung one is cut. */
const STOP_LIMIT_MS = 10_000;

type Log = Pick<ReturnType<typeof createLog>, 'info' | 'error'>;

/** SIGHUP: the configuration is read again. What cannot be read changes nothing. */
export function onReload(
  path: string | undefined,
  log: Log,
  take: (config: DaemonConfig) => void,
): () => void {
  const reload = (): void => {
    try {
      take(loadConfig(path));
      log.info({ path }, '"services" and "lan" are read again; other keys count from the next start on');
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      log.error({ error: error.message }, 'the configuration cannot be read again; nothing changes');
    }
  };
  process.on('SIGHUP', reload);
  return () => void process.removeListener('SIGHUP', reload);
}

/** The first of the signals. From then on the process has its limit, whatever it is at. */
export function stopSignal(limitMs = STOP_LIMIT_MS): Promise<'SIGTERM' | 'SIGINT'> {
  const { promise, resolve } = Promise.withResolvers<'SIGTERM' | 'SIGINT'>();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      setTimeout(() => process.exit(1), limitMs).unref();
      resolve(signal);
    });
  }
  return promise;
}
