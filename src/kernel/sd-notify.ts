import { concat, utf8 } from '../base/bytes.ts';
import { SysError } from '../base/sys-error.ts';
import { lastError } from './errno.ts';
import { closeFd, sendto } from './ffi.ts';
import { MSG_NOSIGNAL, openSocket, SOCK_DGRAM } from './socket-options.ts';

// linux/socket.h, linux/un.h
const AF_UNIX = 1;
const SUN_PATH_MAX = 108;

/** A leading @ stands for a NUL: a name in the abstract namespace, which has no end mark. */
function sockaddrUn(path: string): Uint8Array | undefined {
  const abstract = path.startsWith('@');
  if (!abstract && !path.startsWith('/')) return undefined;
  const name = utf8(abstract ? `\0${path.slice(1)}` : `${path}\0`);
  if (name.length > SUN_PATH_MAX) return undefined;
  return concat([new Uint8Array(Uint16Array.of(AF_UNIX).buffer), name]);
}

/**
 * Tells the service manager a state ("READY=1", "STOPPING=1"; lines of sd_notify(3)). Without `notifySocket`
 * (the variable NOTIFY_SOCKET) nobody asked, and nothing is done. A failure is the answer, never an exception.
 */
export function sdNotify(
  state: string,
  notifySocket: string | undefined = process.env['NOTIFY_SOCKET'],
): SysError | undefined {
  if (notifySocket === undefined || notifySocket === '') return undefined;
  const op = 'sd_notify';
  const address = sockaddrUn(notifySocket);
  if (address === undefined) return new SysError(op, 'EINVAL', `NOTIFY_SOCKET is ${notifySocket}`);
  try {
    const fd = openSocket(op, AF_UNIX, SOCK_DGRAM, 0);
    const bytes = utf8(state);
    const sent = sendto(fd, bytes, bytes.length, MSG_NOSIGNAL, address, address.length);
    const failure = sent < 0 ? lastError(op) : undefined;
    closeFd(fd);
    return failure;
  } catch (error) {
    if (error instanceof SysError) return error;
    throw error;
  }
}
