import { closeSync, constants, openSync } from 'node:fs';
import { err, ok, type Result } from '../base/result.ts';
import { SysError } from '../base/sys-error.ts';
import { fromNodeError, lastError } from './errno.ts';
import { flock } from './ffi.ts';

// asm-generic/fcntl.h
const LOCK_EX = 2;
const LOCK_NB = 4;
const OWNER_ONLY = 0o600;

/** A lock that ends with `release` or with the process, however that ends. The file stays. */
export type FileLock = { readonly release: () => void };

/** EWOULDBLOCK: somebody else holds it. ELOOP: the path is a symbolic link, which is never followed. */
export function lockFile(path: string): Result<FileLock, SysError> {
  const op = `lock ${path}`;
  let fd: number;
  try {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    fd = openSync(path, flags, OWNER_ONLY);
  } catch (error) {
    const reason = fromNodeError(op, error);
    if (reason instanceof SysError) return err(reason);
    throw reason;
  }
  if (flock(fd, LOCK_EX | LOCK_NB) !== 0) {
    const reason = lastError(op);
    closeSync(fd);
    // One number has both names; flock(2) means this one.
    return err(reason.code === 'EAGAIN' ? new SysError(op, 'EWOULDBLOCK') : reason);
  }
  let held = true;
  return ok({
    release: () => {
      if (held) closeSync(fd);
      held = false;
    },
  });
}
