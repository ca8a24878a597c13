const DEFAULT_DEADLINE_MS = 10_000;
const DEFAULT_EVERY_MS = 15;

export type WaitOptions = {
  readonly deadlineMs?: number;
  /** How often the condition is looked at. */
  readonly everyMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** Said in the error when the deadline passes: the last lines of a log, for example. */
  readonly describe?: () => Promise<string> | string;
};

/** A condition that did not come true in time. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
}

export async function pause(ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  setTimeout(resolve, ms);
  await promise;
}

/**
 * Looks at `condition` until it gives something other than undefined or false, and returns that. Throws DeadlineError
 * naming `what` when the time is up, and the signal's reason when it is aborted. Errors of the condition pass through.
 */
export async function waitFor<T>(
  what: string,
  condition: () => Promise<T | undefined | false> | T | undefined | false,
  options: WaitOptions = {},
): Promise<T> {
  const deadlineMs = options.deadlineMs ?? DEFAULT_DEADLINE_MS;
  const end = performance.now() + deadlineMs;
  for (;;) {
    options.signal?.throwIfAborted();
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    if (performance.now() >= end) {
      const more = (await options.describe?.()) ?? '';
      throw new DeadlineError(`waited ${deadlineMs} ms for ${what}${more === '' ? '' : `; ${more}`}`);
    }
    await pause(options.everyMs ?? DEFAULT_EVERY_MS);
  }
}
