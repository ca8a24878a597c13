import { parseJson, type Json, type JsonObject } from '../base/json.ts';

// Not by import: see server.ts.
const { request } = process.getBuiltinModule('node:http');

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

async function exchange(socketPath: string, { path, method, body }: Exchange): Promise<Json> {
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
