import { UsageError } from './command.ts';

export const DEFAULT_SOCKET = '/run/leasehold/leasehold.sock';

/** node:util's parseArgs throws TypeErrors for what a person typed wrong. */
export function parseOptions<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(error.message);
    throw error;
  }
}

/** The socket that a client command asks: `--socket`, else LEASEHOLD_SOCKET unless it is empty, else the default. */
export function socketOf(given: string | undefined): string {
  const fromEnvironment = process.env['LEASEHOLD_SOCKET'];
  const path =
    given ?? (fromEnvironment === undefined || fromEnvironment === '' ? DEFAULT_SOCKET : fromEnvironment);
  // An empty path would make Node ask TCP port 80.
  if (!path.startsWith('/')) throw new UsageError(`--socket "${path}": must be an absolute path`);
  return path;
}
