import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseJson, type Json, type JsonObject } from '../base/json.ts';

// Not by import: see server.ts.
const { request } = process.getBuiltinModule('node:http');

const ROOT = 0;
const MOST_BYTES = 16 << 20;
const PATIENCE_MS = 5000;
const LONG_PATIENCE_MS = 60_000;

/** Somebody listens, and answers nothing in time. */
export class SilentDaemonError extends Error {
  override readonly name = 'SilentDaemonError';
}

/** GET of a path on the daemon's socket. Rejects with what to do when the daemon is not there. */
export function getJson(socketPath: string, path: string): Promise<Json> {
  return exchange(socketPath, { path, method: 'GET', body: undefined });
}

/** POST of a JSON body. Rejects as `getJson`; an error that the daemon names is the message. */
export function postJson(socketPath: string, path: string, body: JsonObject): Promise<Json> {
  return exchange(socketPath, { path, method: 'POST', body: JSON.stringify(body) });
}

type Exchange = {
  readonly path: string;
  readonly method: 'GET' | 'POST';
  readonly body: string | undefined;
};

/**
 * Who binds a socket owns its file. (The credentials of the process behind it, SO_PEERCRED, Node does not give; in a
 * folder that is root's nobody else can put one in the place of another.) Throws an Error for one that neither root, nor
 * this user, nor the owner of the folder made.
 */
function refuseImpostor(socketPath: string): void {
  const socket = statSync(socketPath, { throwIfNoEntry: false });
  const folder = statSync(dirname(socketPath), { throwIfNoEntry: false });
  if (socket === undefined || folder === undefined) return;
  if ([ROOT, process.geteuid?.(), folder.uid].includes(socket.uid)) return;
  throw new Error(
    `the socket ${socketPath} belongs to user ${socket.uid}, neither to root nor to the owner of its folder: another program has taken the daemon's place; stop it, remove the socket, and start "leasehold daemon" as root`,
  );
}

async function exchange(socketPath: string, { path, method, body }: Exchange): Promise<Json> {
  refuseImpostor(socketPath);
  const text = await send(socketPath, { path, method, body });
  const json = parseJson(text);
  if (!json.ok)
    throw new Error(`the daemon at ${socketPath} answered ${path} with something that is not JSON`);
  return json.value;
}

function send(socketPath: string, { path, method, body }: Exchange): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  // A POST may look at every pod of a node.
  const timeout = method === 'GET' ? PATIENCE_MS : LONG_PATIENCE_MS;
  const sent = request({ socketPath, path, method, timeout }, (response) => {
    const chunks: Buffer[] = [];
    let length = 0;
    response.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > MOST_BYTES)
        sent.destroy(new Error(`the answer to ${path} is larger than ${MOST_BYTES} bytes`));
      else chunks.push(chunk);
    });
    response.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8');
      if (response.statusCode === 200) resolve(text);
      else
        reject(
          new Error(`the daemon answered ${path} with ${response.statusCode ?? 'nothing'}: ${text.trim()}`),
        );
    });
    response.on('error', reject);
  });
  sent.on('timeout', () =>
    sent.destroy(new SilentDaemonError(`the daemon at ${socketPath} does not answer`)),
  );
  sent.on('error', (error) => {
    const code = 'code' in error ? error.code : undefined;
    const away = code === 'ENOENT' || code === 'ECONNREFUSED';
    // More callers wait than listen(2) allows: it takes none of them.
    if (code === 'EAGAIN') {
      reject(new SilentDaemonError(`the daemon at ${socketPath} takes no connections`));
      return;
    }
    reject(
      away
        ? new Error(`no daemon at ${socketPath}: start it with "leasehold daemon"`, { cause: error })
        : error,
    );
  });
  sent.end(body);
  return promise;
}
