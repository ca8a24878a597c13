import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { isJsonObject, parseJson } from '../base/json.ts';
import { visibleJson } from '../base/outside-text.ts';
import { isSysError } from '../base/sys-error.ts';
import type { Adoption } from '../cni/adopt/adopt.ts';
import type { CniAnswer, CniRequest } from '../cni/dispatch.ts';
import { debtViews, leaseViews, type LeaseSource, serverViews } from './lease-view.ts';
import { hostView, podsView } from './host-view.ts';
import type { NodeStatus } from './host-view.ts';
import type { PodsChecked } from '../node/host/pod-checks.ts';
import { environmentOf, pluginOf } from './request-head.ts';

// Not by import: that reads every export, and one of http's brings in a WebSocket client of 10 MB.
const { createServer } = process.getBuiltinModule('node:http');

/** What the CNI specification's data may weigh; the relay has the same bound. */
const MOST_BODY_BYTES = 1 << 20;
/** More callers than that are turned away, and told to try again by their relay: each may hold five descriptors. */
const MOST_CONNECTIONS = 1024;
/** The relay sends up to 32 KiB of variables, percent-encoded. */
const MOST_HEAD_BYTES = 128 << 10;
/** A relay has all of its request when it connects. Who needs longer to send it holds a descriptor for nothing. */
const REQUEST_PATIENCE_MS = 30_000;
/** How often connections are looked at for that; a late one is found by so much later. */
const PATIENCE_CHECK_MS = 5000;

/** One for all: an abort without a reason makes a new exception, with its stack, at the end of each request. */
const HUNG_UP = new Error('the caller hung up');
const NOT_READY = 'the leasehold daemon is starting or stopping';

export interface ApiParts {
  readonly dispatcher: { handle(request: CniRequest): Promise<CniAnswer> };
  readonly leases: LeaseSource;
  /** Requests are taken. */
  readonly isReady: () => boolean;
  /** Why no pod can be attached on this node although requests are taken, for a person; undefined where nothing is known. */
  readonly unfit?: () => Promise<string | undefined>;
  readonly counters: () => Readonly<Record<string, number>>;
  /** The node's side of the pods. */
  readonly host: () => NodeStatus;
  /** Looks at some pods for what is missing or wrong there. Rejects with SysError. */
  readonly hostPods: () => Promise<PodsChecked>;
  /** Takes over the leases of the containers in a runtime's cache of results. */
  readonly adopt: (folder: string) => Promise<readonly Adoption[]>;
  /** How long a request may take to arrive, head and body; 30 s. What is done with it has its own deadlines. */
  readonly requestPatienceMs?: number;
}

/** The HTTP API on the UNIX socket: the relay's way in, health, and what the CLI shows. */
export function createApi(parts: ApiParts): Server {
  const patience = parts.requestPatienceMs ?? REQUEST_PATIENCE_MS;
  const options = {
    maxHeaderSize: MOST_HEAD_BYTES,
    requestTimeout: patience,
    headersTimeout: patience,
    connectionsCheckingInterval: Math.min(patience, PATIENCE_CHECK_MS),
    keepAliveTimeout: 1,
  };
  const server = createServer(options, (request, response) => {
    route(parts, request, response).catch((error: unknown) => {
      // The connection broke while the body came: there is nobody to answer.
      response.destroy(error instanceof Error ? error : undefined);
    });
  });
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
  if (method === 'POST' && url === '/v1/adopt') {
    await adopt(parts, request, response);
    return;
  }
  if (method !== 'GET') {
    answer(response, 405, { error: 'only GET, and POST /cni/PLUGIN and /v1/adopt' });
    return;
  }
  switch (url) {
    case '/healthz':
      answer(response, 200, { status: 'ok' });
      break;
    case '/readyz':
      await readiness(parts, response);
      break;
    case '/v1/leases':
      answer(response, 200, leaseViews(parts.leases));
      break;
    case '/v1/owed':
      answer(response, 200, debtViews(parts.leases));
      break;
    case '/v1/servers':
      answer(response, 200, serverViews(parts.leases));
      break;
    case '/v1/host':
      answer(response, 200, hostView(parts.host()));
      break;
    case '/v1/host/pods':
      await hostPods(parts, response);
      break;
    case '/v1/counters':
      answer(response, 200, parts.counters());
      break;
    default:
      answer(response, 404, { error: `nothing at ${url.slice(0, 64)}` });
  }
}

/** Whoever waits for a daemon that starts, and whoever sends pods to the node, is told the truth: 503 with the reason. */
async function readiness(parts: ApiParts, response: ServerResponse): Promise<void> {
  if (!parts.isReady()) {
    answer(response, 503, { status: 'not ready', reason: NOT_READY });
    return;
  }
  const reason = await parts.unfit?.();
  if (reason === undefined) answer(response, 200, { status: 'ready' });
  else answer(response, 503, { status: 'unfit', reason });
}

async function hostPods(parts: ApiParts, response: ServerResponse): Promise<void> {
  try {
    answer(response, 200, podsView(await parts.hostPods()));
  } catch (error) {
    if (!isSysError(error)) throw error;
    answer(response, 500, { error: error.message });
  }
}

/** `{"folder": "/var/lib/cni/results"}` */
async function adopt(parts: ApiParts, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await readBody(request);
  const json = body === undefined ? undefined : parseJson(new TextDecoder().decode(body));
  const folder = json?.ok === true && isJsonObject(json.value) ? json.value['folder'] : undefined;
  if (typeof folder !== 'string' || !folder.startsWith('/') || folder.includes('\0')) {
    answer(response, 400, { error: 'folder: must be the absolute path of a folder' });
    return;
  }
  if (!parts.isReady()) {
    answer(response, 503, { error: NOT_READY });
    return;
  }
  try {
    answer(response, 200, await parts.adopt(folder));
  } catch (error) {
    if (!isSysError(error)) throw error;
    answer(response, 400, { error: `folder: ${error.message}` });
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
      msg: NOT_READY,
    });
    return;
  }
  const gone = new AbortController();
  response.once('close', () => gone.abort(HUNG_UP));
  const { ok, body } = await parts.dispatcher.handle({ plugin, environment, stdin, hangUp: gone.signal });
  answer(response, ok ? 200 : 400, body);
}

/** Undefined when it is too large: the rest is not read, and whoever sends it can still be answered. */
async function readBody(request: IncomingMessage): Promise<Uint8Array | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array | undefined>();
  const chunks: Buffer[] = [];
  let length = 0;
  request.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length > MOST_BODY_BYTES) {
      request.pause();
      resolve(undefined);
    } else {
      chunks.push(chunk);
    }
  });
  request.once('end', () =>
    resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)),
  );
  request.once('error', reject);
  request.once('close', () => reject(new Error('the connection ended in the middle of the request')));
  return promise;
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  if (response.destroyed) return;
  const text = body === undefined ? '' : `${visibleJson(JSON.stringify(body))}\n`;
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
    Connection: 'close',
  });
  response.end(text);
}
