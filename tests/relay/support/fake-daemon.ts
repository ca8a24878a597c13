import { createServer, type Socket } from 'node:net';

/** A request as it came: head without the empty line, and body, both byte for byte in latin1. */
export type Request = {
  readonly raw: string;
  readonly line: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
};

export type FakeDaemon = AsyncDisposable & { readonly requests: readonly Request[] };

export type Behaviour = {
  /** How many connections the kernel keeps waiting; node's default otherwise. */
  readonly backlog?: number;
  /** Called as soon as somebody has connected. */
  readonly onConnect?: (socket: Socket) => void;
  /** Called when a whole request has come. */
  readonly onRequest?: (socket: Socket, request: Request) => void;
};

/** Listens on a UNIX socket and answers with whatever bytes the test wants, right or wrong. */
export async function listenFake(path: string, behaviour: Behaviour): Promise<FakeDaemon> {
  const requests: Request[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let received = '';
    socket.setEncoding('latin1');
    // A relay that gives up early resets the connection; what counts is what it then prints.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (chunk: string) => {
      received += chunk;
      const request = parseRequest(received);
      if (request === undefined) return;
      received = '';
      requests.push(request);
      behaviour.onRequest?.(socket, request);
    });
    behaviour.onConnect?.(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(
      { path, ...(behaviour.backlog === undefined ? {} : { backlog: behaviour.backlog }) },
      resolve,
    );
  });
  return {
    requests,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** A daemon that answers every request with these bytes and closes. */
export function listenWith(path: string, bytes: Uint8Array | string): Promise<FakeDaemon> {
  return listenFake(path, { onRequest: (socket) => socket.end(bytes) });
}

/** A complete answer as the daemon gives it. */
export function answer(status: number, body: Uint8Array | string, ...headers: readonly string[]): Buffer {
  const bytes = Buffer.from(body);
  const head = [`HTTP/1.1 ${status} X`, ...headers, `Content-Length: ${bytes.length}`, 'Connection: close'];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), bytes]);
}

function parseRequest(received: string): Request | undefined {
  const end = received.indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  const [line = '', ...fields] = received.slice(0, end).split('\r\n');
  const headers = new Map(
    fields.map((field): [string, string] => {
      const colon = field.indexOf(': ');
      return [field.slice(0, colon), field.slice(colon + 2)];
    }),
  );
  const total = end + 4 + Number(headers.get('Content-Length'));
  if (received.length < total) return undefined;
  return { raw: received, line, headers, body: received.slice(end + 4) };
}
