import type { Json } from '../base/json.ts';
import { parseJson } from '../base/json.ts';

/** A server that is there answers in milliseconds; one behind a dead address would hold up a start. */
const DEADLINE_MS = 3000;
/** Two hundred services with all that people write on them. */
const MOST_BYTES = 8 << 20;

type Server = {
  readonly url: string;
  readonly name: string | undefined;
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
};

type Answer =
  | { readonly kind: 'answered'; readonly status: number; readonly body: Json }
  | { readonly kind: 'failed'; readonly why: string };

/**
 * One GET to a Kubernetes API with a client certificate: to this server and nowhere else (Node's client follows no
 * redirect, and an agent of its own knows no proxy), verified by this authority alone. At most 3 s and 8 MiB.
 */
export async function getFromApi(server: Server, path: string): Promise<Answer> {
  // When it is wanted: it brings in TLS, and most daemons never ask.
  const { Agent, request } = process.getBuiltinModule('node:https');
  const { promise, resolve } = Promise.withResolvers<Answer>();
  const fail = (error: Error): void => resolve({ kind: 'failed', why: error.message });
  const agent = new Agent({ keepAlive: false, maxCachedSessions: 0 });
  const options = {
    agent,
    ca: server.ca,
    cert: server.certificate,
    key: server.key,
    rejectUnauthorized: true,
    ...(server.name === undefined ? {} : { servername: server.name }),
    headers: { Accept: 'application/json', 'User-Agent': 'leasehold' },
    signal: AbortSignal.timeout(DEADLINE_MS),
  };
  try {
    const asked = request(`${server.url}${path}`, options, (response) => {
      const chunks: Buffer[] = [];
      let length = 0;
      response.on('data', (chunk: Buffer) => {
        length += chunk.length;
        if (length > MOST_BYTES) response.destroy(new Error(`the answer is larger than ${MOST_BYTES} bytes`));
        else chunks.push(chunk);
      });
      response.on('error', fail);
      response.on('end', () => {
        const json = parseJson(Buffer.concat(chunks).toString('utf8'));
        const status = response.statusCode ?? 0;
        resolve(
          json.ok
            ? { kind: 'answered', status, body: json.value }
            : { kind: 'failed', why: `status ${status}, and no JSON` },
        );
      });
    });
    asked.on('error', fail);
    asked.end();
  } catch (error) {
    // A certificate or key that is none.
    if (!(error instanceof Error)) throw error;
    fail(error);
  }
  const answer = await promise;
  agent.destroy();
  return answer;
}
