import { request } from 'node:http';
import { createConnection } from 'node:net';
import { isErrno } from './errno.ts';
import { waitUntilReady, type LongProcess } from './long-process.ts';
import type { Namespace } from './namespace.ts';
import type { Resources } from './resources.ts';

const ANSWER_TIMEOUT_MS = 3000;
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
const HTTP_OK = 200;

export type DaemonOptions = {
  /** The program and its arguments, the socket's path among them. */
  readonly command: readonly string[];
  readonly socket: string;
  /** `http`: GET /readyz answers 200; `socket`: something takes connections. */
  readonly readiness?: 'http' | 'socket';
  readonly logFile: string;
  readonly name?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly resources: Resources;
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal | undefined;
};

export type HttpAnswer = { readonly status: number; readonly body: string };

/** GET over a UNIX socket. Undefined while nobody listens there; throws when the answer breaks off or takes too long. */
export async function getOverSocket(socket: string, path: string): Promise<HttpAnswer | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer | undefined>();
  const options = {
    socketPath: socket,
    path,
    agent: false,
    headers: { host: 'leasehold' },
    timeout: ANSWER_TIMEOUT_MS,
  };
  const asked = request(options, (answer) => {
    const parts: Buffer[] = [];
    let length = 0;
    answer.on('data', (part: Buffer) => {
      length += part.length;
      if (length > MAX_ANSWER_BYTES)
        asked.destroy(new Error(`${path}: an answer of more than ${MAX_ANSWER_BYTES} bytes`));
      parts.push(part);
    });
    answer.on('end', () =>
      resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(parts).toString('utf8') }),
    );
    answer.on('error', reject);
  });
  asked.on('timeout', () => asked.destroy(new Error(`${path}: no answer within ${ANSWER_TIMEOUT_MS} ms`)));
  asked.on('error', (error) => {
    if (isErrno(error, 'ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE')) resolve(undefined);
    else reject(error);
  });
  asked.end();
  return await promise;
}

async function takesConnections(socket: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const connection = createConnection(socket);
  connection.on('connect', () => resolve(true));
  connection.on('error', () => resolve(false));
  try {
    return await promise;
  } finally {
    connection.destroy();
  }
}

/** Starts a CNI plugin's daemon in a node's network namespace and waits until it is ready. */
export async function startDaemon(node: Namespace, options: DaemonOptions): Promise<LongProcess> {
  const { command, socket, logFile, resources } = options;
  const name = options.name ?? 'daemon';
  const started = await node.start(command, { name, logFile, env: options.env }, resources);
  const ready = async (): Promise<boolean> =>
    options.readiness === 'socket'
      ? await takesConnections(socket)
      : (await getOverSocket(socket, '/readyz'))?.status === HTTP_OK;
  const { signal, deadlineMs } = options;
  await waitUntilReady(started, ready, { signal, ...(deadlineMs === undefined ? {} : { deadlineMs }) });
  return started;
}
