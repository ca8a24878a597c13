import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { CniDispatcher } from '../cni/dispatch.ts';
import { leaseViews, type LeaseSource } from './lease-view.ts';
import { environmentOf, pluginOf } from './request-head.ts';

// Not by import: that reads every export, and one of http's brings in a WebSocket client of 10 MB.
const { createServer } = process.getBuiltinModule('node:http');

/** What the CNI specification's data may weigh; the relay has the same bound. */
const MOST_BODY_BYTES = 1 << 20;
/** More callers than that are turned away, and told to try again by their relay: each may hold five descriptors. */
const MOST_CONNECTIONS = 1024;
/** The relay sends up to 32 KiB of variables, percent-encoded. */
const MOST_HEAD_BYTES = 128 << 10;

export interface ApiParts {
  readonly dispatcher: CniDispatcher;
  readonly leases: LeaseSource;
  readonly isReady: () => boolean;
  readonly counters: () => Readonly<Record<string, number>>;
}

/** The HTTP API on the UNIX socket: the relay's way in, health, and what the CLI shows. */
export function createApi(parts: ApiParts): Server {
  const server = createServer({ maxHeaderSize: MOST_HEAD_BYTES }, (request, response) => {
    route(parts, request, response).catch((error: unknown) => {
      // The connection broke while the body came: there is nobody to answer.
      response.destroy(error instanceof Error ? error : undefined);
    });
  });
  // A CNI request may wait for DHCP longer than Node's default patience, and is bounded by its own deadline.
  server.requestTimeout = 0;
  server.keepAliveTimeout = 1;
  server.maxConnections = MOST_CONNECTIONS;
  return server;
}

async function route(parts: ApiParts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method, url = '/' } = request;
  const plugin = pluginOf(url);
  if (method === 'POST' && plugin !== undefined) {
    await cni(parts, plugin, request, response);
    return;
  }
  if (method !== 'GET') {
    answer(response, 405, { error: 'only GET, and POST /cni/PLUGIN' });
    return;
  }
  switch (url) {
    case '/healthz':
      answer(response, 200, { status: 'ok' });
      break;
    case '/readyz':
      if (parts.isReady()) answer(response, 200, { status: 'ready' });
      else answer(response, 503, { status: 'not ready' });
      break;
    case '/v1/leases':
      answer(response, 200, leaseViews(parts.leases));
      break;
    case '/v1/counters':
      answer(response, 200, parts.counters());
      break;
    default:
      answer(response, 404, { error: `nothing at ${url.slice(0, 64)}` });
  }
}

async function cni(
  parts: ApiParts,
  plugin: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const environment = environmentOf(request.headers);
  const stdin = await readBody(request);
  if (environment === undefined || stdin === undefined) {
    answer(response, 400, {
      cniVersion: '1.1.0',
      code: 6,
      msg:
        stdin === undefined
          ? `the request is larger than ${MOST_BODY_BYTES} bytes`
          : 'a CNI variable is not percent-encoded UTF-8',
    });
    return;
  }
  if (!parts.isReady()) {
    answer(response, 503, {
      cniVersion: '1.1.0',
      code: 11,
      msg: 'the leasehold daemon is starting or stopping',
    });
    return;
  }
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const { ok, body } = await parts.dispatcher.handle({ plugin, environment, stdin, hangUp: gone.signal });
  answer(response, ok ? 200 : 400, body);
}

/** Undefined when it is too large. */
async function readBody(request: IncomingMessage): Promise<Uint8Array | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MOST_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  if (response.destroyed) return;
  const text = body === undefined ? '' : `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
    Connection: 'close',
  });
  response.end(text);
}
