import { constants } from 'node:os';
import { SysError } from '../base/sys-error.ts';
import { closeFd, errno } from './ffi.ts';

const NAMES = new Map<number, string>();
// Some numbers have two names: asm-generic/errno.h defines these in terms of the other, which is the one wanted.
const ALIASES: ReadonlySet<string> = new Set(['EWOULDBLOCK', 'ENOTSUP']);
for (const [name, number] of Object.entries(constants.errno)) {
  if (!ALIASES.has(name)) NAMES.set(number, name);
}

/** "ENODEV" for 19. What node:os does not name keeps its number ("E529"). */
export function errnoName(number: number): string {
  return NAMES.get(number) ?? `E${number}`;
}

/** The SysError of the C function that has just returned -1. Nothing may run in between. */
export function lastError(op: string): SysError {
  return new SysError(op, errnoName(errno()));
}

/** Passes a C function's result on; -1 throws the SysError. */
export function check(op: string, result: number): number {
  if (result < 0) throw lastError(op);
  return result;
}

/** Sets up a descriptor just made; when that fails it is closed before the error goes on. */
export function orClose<T>(fd: number, setUp: () => T): T {
  try {
    return setUp();
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

/** Node's own file errors as SysError; anything else is passed through unchanged. */
export function fromNodeError(op: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return error;
  return new SysError(op, error.code);
}
