import { createConnection, type Socket } from 'node:net';

const PATIENCE_MS = 20_000;

/** Settles when the other side has ended the connection, or broken it off. */
export async function whenClosed(socket: Socket): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.setTimeout(PATIENCE_MS, () => reject(new Error('the connection is still open')));
  socket.once('close', () => resolve());
  // ECONNRESET and EPIPE are ways to end it; 'close' follows.
  socket.on('error', () => undefined);
  await promise;
}

/** Sends these bytes, all that are taken, and gives what was answered until the other side closed. */
export async function sendRaw(path: string, ...parts: readonly (string | Uint8Array)[]): Promise<string> {
  const socket = createConnection(path);
  const answer: Buffer[] = [];
  socket.on('data', (part: Buffer) => answer.push(part));
  for (const part of parts) socket.write(part);
  await whenClosed(socket);
  return Buffer.concat(answer).toString('latin1');
}

/** Sends these bytes and gives the connection, which stays open. */
export async function sendAndHold(path: string, bytes: string): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = createConnection(path);
  socket.once('error', reject);
  // Read and forgotten: an end behind data that nobody reads is never seen.
  socket.resume();
  socket.write(bytes, () => {
    socket.off('error', reject);
    socket.on('error', () => undefined);
    resolve(socket);
  });
  return await promise;
}

export function cniRequest(body: string | Uint8Array, head: readonly string[] = []): string {
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  const lines = ['POST /cni/macvlan HTTP/1.1', 'Host: leasehold', `Content-Length: ${length}`, ...head];
  return `${lines.join('\r\n')}\r\n\r\n${typeof body === 'string' ? body : ''}`;
}
