import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { err, ok, type Result } from '../base/result.ts';
import { isSysError, SysError } from '../base/sys-error.ts';
import { fromNodeError, lastError } from './errno.ts';
import { fcntl, flock } from './ffi.ts';
import { foreignButRoot, remedyFor } from './ownership.ts';

// asm-generic/fcntl.h
const LOCK_EX = 2;
const LOCK_NB = 4;
/** F_OFD_SETLK */
const F_OFD_SETLK = 37;
const F_WRLCK = 1;
/** sizeof(struct flock) where an off_t has 64 bits; whence, start and length of zero are the whole file. */
const FLOCK_LENGTH = 32;
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
  return lock(`lock ${path}`, () => openToLock(path), takeByFlock);
}

/**
 * The same with a lock of the open file description (fcntl(2)): whether it is held can be asked by F_OFD_GETLK without
 * taking it, so that those who ask never keep the next holder from it.
 */
export function lockFileForAll(path: string): Result<FileLock, SysError> {
  return lock(`lock ${path}`, () => openToLock(path), takeByDescription);
}

/** The network namespace of this process: it has one holder. EWOULDBLOCK names the process that holds it, if it is seen. */
export function lockNetworkNamespace(): Result<FileLock, SysError> {
  // A link to what it names: here it is followed.
  return lock(
    `lock ${NETWORK_NAMESPACE}`,
    () => openSync(NETWORK_NAMESPACE, constants.O_RDONLY),
    takeByFlock,
  );
}

function openToLock(path: string): number {
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const fd = openSync(path, flags, OWNER_ONLY);
  const problem = foreignButRoot(fstatSync(fd));
  if (problem === undefined) return fd;
  closeSync(fd);
  throw new SysError(`lock ${path}`, 'EPERM', `${path} ${problem}; ${remedyFor(path)}`);
}

function takeByFlock(fd: number): boolean {
  return flock(fd, LOCK_EX | LOCK_NB) === 0;
}

function takeByDescription(fd: number): boolean {
  // l_type comes first, a short; the process id has to be zero (fcntl(2)).
  const wanted = new Int16Array(FLOCK_LENGTH / Int16Array.BYTES_PER_ELEMENT);
  wanted[0] = F_WRLCK;
  return fcntl(fd, F_OFD_SETLK, new Uint8Array(wanted.buffer)) === 0;
}

function lock(op: string, open: () => number, take: (fd: number) => boolean): Result<FileLock, SysError> {
  let fd: number;
  try {
    fd = open();
  } catch (error) {
    const reason = isSysError(error) ? error : fromNodeError(op, error);
    if (isSysError(reason)) return err(reason);
    throw reason;
  }
  if (!take(fd)) {
    const reason = lastError(op);
    const holder = holderOf(fd);
    closeSync(fd);
    // One number has both names; both calls mean this one.
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
