import { mkdirSync } from 'node:fs';
import type { Server } from 'node:http';
import { dirname } from 'node:path';
import { visible } from './base/outside-text.ts';
import { foreignFolder } from './kernel/ownership.ts';
import { listenOn } from './daemon/listen.ts';

// Not by import: see api/server.ts.
const { createServer } = process.getBuiltinModule('node:http');

const OWNER_FOLDER = 0o700;
/** The kubelet asks one probe at a time; a person may ask as well. */
const MOST_CONNECTIONS = 16;
const PATIENCE_MS = 5000;

/** What a probe is told: whether it is well, and a line for a person. */
export type Health = { readonly isWell: boolean; readonly text: string };

export type ProbeParts = {
  readonly path: string;
  readonly ready: () => Promise<Health>;
  readonly live: () => Health;
};

/**
 * Answers the probes of this container on a socket of its own: the daemon's is the node's, and whoever holds that may be
 * another. `GET /ready` and `GET /live`: 200, or 503 with the reason. Rejects with an Error for a path that cannot be used.
 */
export async function openProbe({ path, ready, live }: ProbeParts): Promise<Server> {
  const server = createServer((request, response) => {
    const health = request.url === '/live' ? live() : request.url === '/ready' ? ready() : UNKNOWN;
    void Promise.resolve(health).then(({ isWell, text }) => {
      const body = JSON.stringify({ reason: visible(text) });
      response.writeHead(isWell ? 200 : 503, {
        'Content-Type': 'application/json',
        'Content-Length': Buffer.byteLength(body),
        Connection: 'close',
      });
      response.end(body);
    });
  });
  server.maxConnections = MOST_CONNECTIONS;
  server.requestTimeout = PATIENCE_MS;
  if (!path.startsWith('/')) throw new Error(`--probe-socket ${path}: must be an absolute path`);
  mkdirSync(dirname(path), { recursive: true, mode: OWNER_FOLDER });
  const problem = foreignFolder(dirname(path));
  if (problem !== undefined) throw new Error(`--probe-socket ${path}: cannot be used: ${problem}`);
  await listenOn(server, path);
  return server;
}

const UNKNOWN: Health = { isWell: false, text: 'the probes are /ready and /live' };
