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
