import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { invariant } from '../base/invariant.ts';
import { SysError } from '../base/sys-error.ts';
import { check, fromNodeError, lastError } from './errno.ts';
import { nsfsDevice } from './namespace-at.ts';
import { fstatfs, ioctl, setns, startThreadPool } from './ffi.ts';

// linux/sched.h
const CLONE_NEWNET = 0x40000000;
// linux/magic.h
const NSFS_MAGIC = 0x6e736673;
// linux/nsfs.h: _IO(0xb7, 0x3)
const NS_GET_NSTYPE = 0xb703;
/** At least sizeof(struct statfs); f_type comes first. */
const STATFS_LENGTH = 256;
const SELF_PATH = '/proc/thread-self/ns/net';

/** A promise would go on after the namespace was left: the compiler refuses functions that return one. */
type NotPromise<T> = T extends PromiseLike<unknown> ? never : T;

function isNetworkNamespace(fd: number): boolean {
  const statfs = new Uint32Array(STATFS_LENGTH / Uint32Array.BYTES_PER_ELEMENT);
  check('fstatfs', fstatfs(fd, new Uint8Array(statfs.buffer)));
  if (statfs[0] !== NSFS_MAGIC) return false;
  return ioctl(fd, NS_GET_NSTYPE, new Uint8Array(8)) === CLONE_NEWNET;
}

let home: NetNs | undefined;
// The inode of the namespace that the loop's thread is in, if not at home: the one thing here that is really global.
let away: string | undefined;
let poolStart: Promise<unknown> | undefined;

/** A network namespace, held open by a descriptor: it outlives its path and its processes. */
export class NetNs implements Disposable {
  readonly fd: number;
  /** The kernel's number for it: equal numbers are the same namespace while either is open. */
  readonly inode: string;
  #open = true;

  private constructor(fd: number, inode: string) {
    this.fd = fd;
    this.inode = inode;
  }

  /**
   * Throws SysError: EINVAL for a relative path, ENOTNS for a file that is no network namespace (an errno of no
   * system call, so nothing else can be mistaken for it), else what open(2) says (ENOENT, EACCES). `known`: the inode of a
   * network namespace; where that is what lies there, nothing more is asked.
   */
  static open(path: string, known?: string): NetNs {
    const op = `open namespace ${path}`;
    if (!path.startsWith('/')) throw new SysError(op, 'EINVAL', 'the path must be absolute');
    if (path.includes('\0')) throw new SysError(op, 'EINVAL', 'the path holds a NUL');
    let fd: number;
    try {
      // O_NONBLOCK: a pipe at that path must not stop the loop. libuv adds O_CLOEXEC itself.
      fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    } catch (error) {
      throw fromNodeError(op, error);
    }
    try {
      const { dev, ino } = fstatSync(fd);
      const inode = String(ino);
      const isKnown = inode === known && dev === nsfsDevice();
      if (!isKnown && !isNetworkNamespace(fd))
        throw new SysError(op, 'ENOTNS', 'the file is not a network namespace');
      return new NetNs(fd, inode);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** The daemon's own namespace: one object for the life of the process, which ignores `close`. */
  static self(): NetNs {
    home ??= NetNs.open(SELF_PATH);
    return home;
  }

  /**
   * Runs `inside` in this namespace and comes back, whatever happens. setns(2) moves the calling thread only, and
   * all JavaScript is one thread: so `inside` must be synchronous, and what it opens stays in this namespace. Within a
   * visit to this namespace it is part of that.
   */
  run<T>(inside: () => NotPromise<T>): T {
    invariant(this.#open, 'the namespace is open');
    const self = NetNs.self();
    if (away === this.inode) return inside();
    invariant(
      away === undefined,
      'run is not called in another one: coming back would lead to the wrong one',
    );
    poolStart ??= startThreadPool();
    check('setns', setns(this.fd, CLONE_NEWNET));
    away = this.inode;
    try {
      const result = inside();
      invariant(!(result instanceof Promise), 'what runs in a namespace is synchronous');
      return result;
    } finally {
      away = undefined;
      // A daemon that goes on in a container's namespace would configure the wrong machine: better dead.
      if (setns(self.fd, CLONE_NEWNET) !== 0) {
        process.stderr.write(`${lastError('setns back to the daemon').message}\n`);
        process.abort();
      }
    }
  }

  close(): void {
    if (!this.#open || this === home) return;
    this.#open = false;
    closeSync(this.fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
