import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { err, ok, type Result } from '../base/result.ts';
import { isSysError, SysError } from '../base/sys-error.ts';
import { fromNodeError, lastError } from './errno.ts';
import { flock } from './ffi.ts';
import { foreignButRoot, remedyFor } from './ownership.ts';

// asm-generic/fcntl.h
const LOCK_EX = 2;
const LOCK_NB = 4;
const OWNER_ONLY = 0o600;
/** namespaces(7): whatever mounts and folders a process sees, this is the same file for all of one network namespace. */
const NETWORK_NAMESPACE = '/proc/self/ns/net';
const LOCKS = '/proc/locks';

/** A lock that ends with `release` or with the process, however that ends. The file stays. */
export type FileLock = { readonly release: () => void };

/**
 * EWOULDBLOCK: somebody else holds it. ELOOP: the path is a symbolic link, which is never followed. EPERM: another
 * user's file lies there, who could hold the lock for ever.
 */
export function lockFile(path: string): Result<FileLock, SysError> {
  return lock(`lock ${path}`, () => openOwn(path));
}

function openOwn(path: string): number {
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const fd = openSync(path, flags, OWNER_ONLY);
  const problem = foreignButRoot(fstatSync(fd));
  if (problem === undefined) return fd;
  closeSync(fd);
  throw new SysError(`lock ${path}`, 'EPERM', `${path} ${problem}; ${remedyFor(path)}`);
}

/** The network namespace of this process: it has one holder. EWOULDBLOCK names the process that holds it, if it is seen. */
export function lockNetworkNamespace(): Result<FileLock, SysError> {
  // A link to what it names: here it is followed.
  return lock(`lock ${NETWORK_NAMESPACE}`, () => openSync(NETWORK_NAMESPACE, constants.O_RDONLY));
}

function lock(op: string, open: () => number): Result<FileLock, SysError> {
  let fd: number;
  try {
    fd = open();
  } catch (error) {
    const reason = isSysError(error) ? error : fromNodeError(op, error);
    if (isSysError(reason)) return err(reason);
    throw reason;
  }
  if (flock(fd, LOCK_EX | LOCK_NB) !== 0) {
    const reason = lastError(op);
    const holder = holderOf(fd);
    closeSync(fd);
    // One number has both names; flock(2) means this one.
    return err(reason.code === 'EAGAIN' ? new SysError(op, 'EWOULDBLOCK', holder) : reason);
  }
  let held = true;
  return ok({
    release: () => {
      if (held) closeSync(fd);
      held = false;
    },
  });
}

/** "process 4711", for a person; undefined where it cannot be told (it is of another PID namespace). */
function holderOf(fd: number): string | undefined {
  const { ino } = fstatSync(fd);
  try {
    // proc(5): "1: FLOCK  ADVISORY  WRITE 4711 00:04:4026532177 0 EOF"
    const held = readFileSync(LOCKS, 'utf8').matchAll(
      / FLOCK +ADVISORY +WRITE +(\d+) [\da-f]+:[\da-f]+:(\d+) /g,
    );
    const pid = held.find(([, , inode]) => Number(inode) === ino)?.[1];
    return pid === undefined || pid === '0' ? undefined : `process ${pid} has it`;
  } catch (error) {
    if (isSysError(fromNodeError(`read ${LOCKS}`, error))) return undefined;
    throw error;
  }
}
