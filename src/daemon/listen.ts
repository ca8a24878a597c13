import { chmodSync, linkSync, lstatSync, mkdirSync, renameSync, rmSync, unlinkSync } from 'node:fs';
import { connect, createServer as createSocket, type Server } from 'node:net';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { hasCode } from '../base/os-error.ts';
import { type FileLock, lockFileForAll } from '../kernel/file-lock.ts';
import { foreignFolder } from '../kernel/ownership.ts';

const OWNER_FOLDER = 0o700;
const OWNER_ONLY = 0o600;
const ONLY_OWNER_MASK = 0o177;
/** sizeof(sun_path) in linux/un.h, less the terminating zero. */
const MOST_PATH_BYTES = 107;
/** Of the file beside the socket that says a daemon is there; the relay knows it as well (relay/start.c). */
const LOCK_SUFFIX = '.lock';
/** What a stopping daemon makes beside the socket. */
const PASSING_SUFFIX = '.new';
const DEAF_SUFFIX = '.old';
/** Who found the old socket just before has long been accepted then. */
const QUEUE_PATIENCE_MS = 20;

/** Somebody answers at this path; a socket file whose daemon died does not. */
function isAnswered(path: string): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const socket = connect(path);
  socket.once('connect', () => {
    socket.destroy();
    resolve(true);
  });
  socket.once('error', (error) => {
    if (hasCode(error, ['ENOENT', 'ECONNREFUSED'])) resolve(false);
    // connect(2) of a UNIX socket: the listener's queue is full, so there is one.
    else if (hasCode(error, ['EAGAIN'])) resolve(true);
    else reject(error);
  });
  return promise;
}

/**
 * Claims the path of a socket for a daemon that is about to start, by a lock beside it that is held until the process
 * ends: the relay sees by it that a daemon is on its way, and two that start at once do not take each other's socket.
 * The folder is made, of mode 0700. Throws an Error for a path that cannot be used or is in use, and for a folder that is
 * another user's.
 */
export function claimSocket(path: string): FileLock {
  const claim = tryToClaimSocket(path);
  if (claim === undefined) throw inUse(path);
  return claim;
}

/** The same; undefined while another process has it. */
export function tryToClaimSocket(path: string): FileLock | undefined {
  if (!path.startsWith('/')) throw new Error(`--socket ${path}: must be an absolute path`);
  if (Buffer.byteLength(path) > MOST_PATH_BYTES) {
    throw new Error(
      `--socket ${path}: is longer than ${MOST_PATH_BYTES} bytes, the most that a socket's path may have`,
    );
  }
  try {
    mkdirSync(dirname(path), { recursive: true, mode: OWNER_FOLDER });
    refuseForeignFolder(path);
    requireSocket(path);
  } catch (error) {
    throw unusable(path, error);
  }
  const lock = lockFileForAll(`${path}${LOCK_SUFFIX}`);
  if (lock.ok) return lock.value;
  if (lock.error.code === 'EWOULDBLOCK') return undefined;
  throw unusable(path, lock.error);
}

/**
 * Listens on a UNIX socket of mode 0600 whose path was claimed. The socket file that a dead daemon left is taken over;
 * one that is answered is not, and neither is a file that is no socket: that is an Error.
 */
export async function listenOn(server: Server, path: string): Promise<void> {
  try {
    await takePath(path);
    await listen(server, path);
  } catch (error) {
    throw unusable(path, error);
  }
}

/**
 * Closes a server by `close` so that nobody who calls meets a broken connection: from now on the path has a socket that refuses
 * all, by which relays wait for the next daemon; who was in the queue is still answered. Node would remove the path, and reset
 * the queue.
 */
export async function closeLeavingSocket(path: string, close: () => Promise<void>): Promise<void> {
  const deaf = `${path}${DEAF_SUFFIX}`;
  try {
    await makeDeafSocket(path, deaf);
    renameSync(deaf, path);
    await setTimeout(QUEUE_PATIENCE_MS);
    linkSync(path, deaf);
  } catch (error) {
    // A file system without second names, or a folder that is gone: relays see the lock until it is released.
    if (!hasCode(error)) throw error;
  }
  await close();
  if (lstatSync(deaf, { throwIfNoEntry: false }) !== undefined) renameSync(deaf, path);
}

/** A socket file that nobody listens on any more. */
async function makeDeafSocket(path: string, deaf: string): Promise<void> {
  const passing = `${path}${PASSING_SUFFIX}`;
  for (const old of [passing, deaf]) rmSync(old, { force: true });
  const server = createSocket();
  await listen(server, passing);
  linkSync(passing, deaf);
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  await promise;
}

async function takePath(path: string): Promise<void> {
  if (!requireSocket(path)) return;
  if (await isAnswered(path)) throw inUse(path);
  removeStale(path);
}

/** Who can write beside the socket can put his own in its place, and answer for the daemon. */
function refuseForeignFolder(path: string): void {
  const problem = foreignFolder(dirname(path));
  if (problem !== undefined) throw new Error(`--socket ${path}: cannot be used: ${problem}`);
}

/** Whether there is one. Throws where something else is. */
function requireSocket(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined || found.isSocket()) return found !== undefined;
  throw new Error(`--socket ${path}: is there already and no socket; remove it, or choose another path`);
}

function inUse(path: string): Error {
  return new Error(`--socket ${path}: another daemon answers there; stop it, or choose another path`);
}

/** What the operating system says, with the flag that it is about. */
function unusable(path: string, error: unknown): unknown {
  if (!hasCode(error)) return error;
  return new Error(`--socket ${path}: cannot be used: ${error.message}`, { cause: error });
}

async function listen(server: Server, path: string): Promise<void> {
  // The mask, and not a chmod afterwards: there is no moment in which others could connect.
  const before = process.umask(ONLY_OWNER_MASK);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(path, resolve);
  process.umask(before);
  await promise;
  server.off('error', reject);
  chmodSync(path, OWNER_ONLY);
}

function removeStale(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!hasCode(error, ['ENOENT'])) throw error;
  }
}
