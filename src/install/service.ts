import { UNIT } from './unit.ts';

/** How a command ended; `output` is what it said, for a person. */
export type CommandOutcome = { readonly status: number; readonly output: string };

/** The service manager of the host, as kernel/ has it. */
export type ServiceManager = {
  /** Whether systemd runs here (sd_booted(3)). */
  readonly isRunning: () => boolean;
  /** `systemctl` with these arguments. */
  readonly systemctl: (args: readonly string[]) => Promise<CommandOutcome>;
};

/**
 * Starts the daemon, or starts it anew after a change, and returns when it is ready. Throws an Error with what systemd
 * said.
 */
export async function startService(manager: ServiceManager, changed: boolean): Promise<void> {
  if (changed) await must(manager, ['daemon-reload']);
  await must(manager, [changed ? 'restart' : 'start', UNIT]);
}

/** Stops it. A unit that systemd does not know is stopped. */
export async function stopService(manager: ServiceManager): Promise<void> {
  const { status, output } = await manager.systemctl(['stop', UNIT]);
  if (status !== 0 && !/not loaded|not found/i.test(output)) throw failed(['stop', UNIT], output);
}

/** After the unit's file is gone. A unit that never failed cannot be reset, which is no failure. */
export async function forgetService(manager: ServiceManager): Promise<void> {
  await must(manager, ['daemon-reload']);
  await manager.systemctl(['reset-failed', UNIT]);
}

async function must(manager: ServiceManager, args: readonly string[]): Promise<void> {
  const { status, output } = await manager.systemctl(args);
  if (status !== 0) throw failed(args, output);
}

function failed(args: readonly string[], output: string): Error {
  return new Error(
    `systemctl ${args.join(' ')} failed: ${output.trim()}; see: journalctl -u ${UNIT}. Then run the command again`,
  );
}
