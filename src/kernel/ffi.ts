import koffi from 'koffi';

// The C library, bound by koffi. This file and poll.ts are the only ones that know koffi. Every function returns -1
// on failure and leaves the reason in `errno()`, to be read before anything else runs.

/**
 * Calls on threads for which memory is kept. For each beyond that koffi maps 256 KB and unmaps it afterwards, for which the
 * kernel interrupts every processor on which another thread of ours runs.
 */
export const KEPT_CALLS = 32;
koffi.config({ resident_async_pools: KEPT_CALLS });

// The handle of the process itself: the C library, be it glibc or musl, is already loaded.
const libc = koffi.load(null);

type Sync<A extends readonly unknown[]> = (...args: A) => number;
type Async<A extends readonly unknown[]> = (
  ...args: [...A, done: (error: unknown, result: number) => void]
) => void;

type Fd = number;
type Bytes = Uint8Array;

export const socket: Sync<[family: number, type: number, protocol: number]> =
  libc.func('int socket(int, int, int)');
export const bind: Sync<[fd: Fd, address: Bytes, length: number]> = libc.func(
  'int bind(int, const void *, uint32_t)',
);
export const connect: Sync<[fd: Fd, address: Bytes, length: number]> = libc.func(
  'int connect(int, const void *, uint32_t)',
);
export const getsockname: Sync<[fd: Fd, address: Bytes, length: Bytes]> = libc.func(
  'int getsockname(int, void *, void *)',
);
export const setsockopt: Sync<[fd: Fd, level: number, option: number, value: Bytes, length: number]> =
  libc.func('int setsockopt(int, int, int, const void *, uint32_t)');
export const getsockopt: Sync<[fd: Fd, level: number, option: number, value: Bytes, length: Bytes]> =
  libc.func('int getsockopt(int, int, int, void *, void *)');
export const sendto: Sync<
  [fd: Fd, bytes: Bytes, length: number, flags: number, to: Bytes, toLength: number]
> = libc.func('long sendto(int, const void *, size_t, int, const void *, uint32_t)');
export const recv: Sync<[fd: Fd, bytes: Bytes, length: number, flags: number]> = libc.func(
  'long recv(int, void *, size_t, int)',
);
export const recvfrom: Sync<
  [fd: Fd, bytes: Bytes, length: number, flags: number, from: Bytes, fromLength: Bytes]
> = libc.func('long recvfrom(int, void *, size_t, int, void *, void *)');
/** The header is a struct msghdr, whose pointers lead to memory that the caller keeps alive. */
export const recvmsg: Sync<[fd: Fd, header: Bytes, flags: number]> = libc.func(
  'long recvmsg(int, void *, int)',
);
export const setns: Sync<[fd: Fd, type: number]> = libc.func('int setns(int, int)');
/** Of the flags of clone(2) those that make a namespace. Mount namespaces: of the calling thread alone. */
export const unshare: Sync<[flags: number]> = libc.func('int unshare(int)');
/** The paths are C strings. */
export const mount: Sync<[source: Bytes | null, target: Bytes, type: null, flags: number, data: null]> =
  libc.func('int mount(const void *, const void *, const void *, unsigned long, const void *)');
export const closeFd: Sync<[fd: Fd]> = libc.func('int close(int)');
/** Variadic in C, but its third argument travels like a fixed one on Linux's x86-64 and arm64. */
export const ioctl: Sync<[fd: Fd, request: number, argument: Bytes]> = libc.func(
  'int ioctl(int, unsigned long, void *)',
);
/** `who`: RUSAGE_THREAD is the calling thread. */
export const getrusage: Sync<[who: number, usage: Bytes]> = libc.func('int getrusage(int, void *)');
export const fstatfs: Sync<[fd: Fd, buffer: Bytes]> = libc.func('int fstatfs(int, void *)');
export const flock: Sync<[fd: Fd, operation: number]> = libc.func('int flock(int, int)');
/** Variadic in C, as ioctl is. The argument is a struct flock. */
export const fcntl: Sync<[fd: Fd, command: number, argument: Bytes]> = libc.func(
  'int fcntl(int, int, void *)',
);
export const clockGettime: Sync<[clock: number, timespec: Bytes]> = libc.func(
  'int clock_gettime(int, void *)',
);
/** A struct timex of zeroes asks for nothing to be changed. Gives the clock's state, TIME_*. */
export const adjtimex: Sync<[timex: Bytes]> = libc.func('int adjtimex(void *)');
export const timerfdCreate: Sync<[clock: number, flags: number]> = libc.func('int timerfd_create(int, int)');
/** The last argument, where the old setting would go, is always NULL. */
export const timerfdSettime: Sync<[fd: Fd, flags: number, value: Bytes, old: null]> = libc.func(
  'int timerfd_settime(int, int, const void *, void *)',
);

/** The paths are C strings: UTF-8 with a NUL at the end. */
type Renameat2 = [fromFolder: Fd, from: Bytes, toFolder: Fd, to: Bytes, flags: number];
export const renameat2: Sync<Renameat2> & { async: Async<Renameat2> } = libc.func(
  'int renameat2(int, const void *, int, const void *, uint32_t)',
);

export const send: Sync<[fd: Fd, bytes: Bytes, length: number, flags: number]> & {
  async: Async<[fd: Fd, bytes: Bytes, length: number, flags: number]>;
} = libc.func('long send(int, const void *, size_t, int)');
const recvfromAsync = libc.func('long recvfrom(int, void *, size_t, int, void *, void *)') as {
  async: Async<[fd: Fd, bytes: Bytes, length: number, flags: number, from: Bytes, fromLength: Bytes]>;
};
const close = libc.func('int close(int)') as { async: Async<[fd: Fd]> };
const getpid = libc.func('int getpid()') as { async: Async<[]> };

export function errno(): number {
  return koffi.errno();
}

/** Where the bytes are, for structs that hold pointers. Whoever passes it on keeps the bytes alive meanwhile. */
export function addressOf(bytes: Uint8Array): bigint {
  return koffi.address(bytes);
}

/** What a call on the thread pool gave: its result and, if that is -1, the errno of that thread. */
export type CallResult = { readonly result: number; readonly errno: number };

// The garbage collector does not know of a C function that still reads or writes them on another thread.
const buffersInUse = new Set<object>();

function offLoop(
  buffers: readonly Uint8Array[],
  call: (done: (error: unknown, result: number) => void) => void,
): Promise<CallResult> {
  return new Promise((resolve, reject) => {
    buffersInUse.add(buffers);
    call((error, result) => {
      const code = koffi.errno();
      buffersInUse.delete(buffers);
      if (error === null) resolve({ result, errno: code });
      else reject(error instanceof Error ? error : new Error('a foreign call failed', { cause: error }));
    });
  });
}

/** send(2) on the thread pool. */
export function sendOffLoop(fd: number, bytes: Uint8Array, flags: number): Promise<CallResult> {
  return offLoop([bytes], (done) => {
    send.async(fd, bytes, bytes.length, flags, done);
  });
}

/** renameat2(2) on the thread pool. */
export function renameat2OffLoop(...args: Renameat2): Promise<CallResult> {
  const [, from, , to] = args;
  return offLoop([from, to], (done) => {
    renameat2.async(...args, done);
  });
}

/** recvfrom(2) on the thread pool. */
export function recvfromOffLoop(
  fd: number,
  bytes: Uint8Array,
  flags: number,
  from: Uint8Array,
  fromLength: Uint8Array,
): Promise<CallResult> {
  return offLoop([bytes, from, fromLength], (done) => {
    recvfromAsync.async(fd, bytes, bytes.length, flags, from, fromLength, done);
  });
}

/** close(2) on the thread pool. */
export function closeOffLoop(fd: number): Promise<CallResult> {
  return offLoop([], (done) => {
    close.async(fd, done);
  });
}

/**
 * Makes libuv create its threads now. It does that once, on first use, and a thread is born into the namespace of
 * the thread that makes it: born while the loop's thread is away, the pool would live in a container for ever.
 */
export function startThreadPool(): Promise<CallResult> {
  return offLoop([], (done) => {
    getpid.async(done);
  });
}

/** malloc_trim(3) is glibc's own: undefined with another C library. */
function findMallocTrim(): { readonly async: Async<[pad: number]> } | undefined {
  try {
    return libc.func('int malloc_trim(size_t)');
  } catch {
    return undefined;
  }
}

const mallocTrim = findMallocTrim();

/** malloc_trim(3) on the thread pool: whole free pages of all arenas go back to the kernel. Does nothing without glibc. */
export async function mallocTrimOffLoop(): Promise<void> {
  if (mallocTrim === undefined) return;
  await offLoop([], (done) => {
    mallocTrim.async(0, done);
  });
}
