import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Json } from '../base/json.ts';
import { parseJson } from '../base/json.ts';
import { type Duration, seconds } from '../base/time.ts';

/** A server that is there answers in milliseconds; one behind a dead address would hold up a start. */
const DEADLINE_MS = 3000;
/** Two hundred services with all that people write on them. */
const MOST_BYTES = 8 << 20;
/** A connection on which nothing is said is looked at so often (TCP keep-alive). */
const KEEP_ALIVE_MS = 30_000;
/** Retry-After of RFC 9110 10.2.3 in its form of seconds; kube-apiserver sends no dates. */
const SECONDS = /^\d{1,6}$/;

/**
 * resolv.conf(5): a name server has a second, and a second try. By default a name that no server answers takes 40 s (two servers,
 * one search domain), nothing cancels that, and a process does not end before. It is asked again by whoever asks us.
 */
const RESOLVER_OPTIONS = 'timeout:1 attempts:2';

/** Characters of an error: those of TLS quote the whole certificate. */
const MOST_WHY = 512;

type Server = {
  readonly url: string;
  readonly name: string | undefined;
  readonly ca: string;
  readonly certificate: string | undefined;
  readonly key: string | undefined;
  readonly token: string | undefined;
};

type Answer =
  | { readonly kind: 'answered'; readonly status: number; readonly body: Json }
  | { readonly kind: 'failed'; readonly why: string };

type AnswerTaker = {
  readonly head: (status: number, retryAfter: Duration | undefined) => void;
  readonly data: (chunk: Uint8Array) => void;
  readonly ended: (why: string | undefined) => void;
};

/**
 * One GET to a Kubernetes API with a certificate or a token, over a connection of its own: to this server and nowhere else
 * (Node's client follows no redirect, and an agent of its own knows no proxy), verified by this authority alone. It has no
 * bounds: who takes it cancels it, by what is given back. Nothing is called back within the call, nor after it is cancelled.
 */
export function openApi(server: Server, path: string, taker: AnswerTaker): () => void {
  let over = false;
  let asked: ClientRequest | undefined;
  // glibc reads it once, with the first name. What the administrator has set counts.
  process.env['RES_OPTIONS'] ??= RESOLVER_OPTIONS;
  // When it is wanted: it brings in TLS, and most daemons never ask.
  const { Agent, request } = process.getBuiltinModule('node:https');
  const agent = new Agent({ keepAlive: false, maxCachedSessions: 0 });
  const close = (): void => {
    over = true;
    asked?.destroy();
    agent.destroy();
  };
  const end = (why: string | undefined): void => {
    if (over) return;
    close();
    taker.ended(why?.slice(0, MOST_WHY));
  };
  const options = {
    agent,
    ca: server.ca,
    ...(server.certificate === undefined ? {} : { cert: server.certificate }),
    ...(server.key === undefined ? {} : { key: server.key }),
    rejectUnauthorized: true,
    ...(server.name === undefined ? {} : { servername: server.name }),
    headers: {
      Accept: 'application/json',
      'User-Agent': 'leasehold',
      ...(server.token === undefined ? {} : { Authorization: `Bearer ${server.token}` }),
    },
  };
  try {
    asked = request(`${server.url}${path}`, options, (response) => {
      if (over) return;
      response.on('data', (chunk: Buffer) => {
        if (!over) taker.data(chunk);
      });
      // Also of a connection that is lost before the answer is whole ("aborted").
      response.on('error', (error) => end(error.message));
      response.on('end', () => end(undefined));
      taker.head(response.statusCode ?? 0, retryAfterOf(response));
    });
    asked.setSocketKeepAlive(true, KEEP_ALIVE_MS);
    asked.on('error', (error) => end(error.message));
    asked.end();
  } catch (error) {
    // A certificate or key that is none.
    if (!(error instanceof Error)) throw error;
    const { message } = error;
    setImmediate(() => end(message));
  }
  return close;
}

/** One GET of JSON; at most 3 s and 8 MiB. */
export async function getFromApi(server: Server, path: string): Promise<Answer> {
  const { promise, resolve } = Promise.withResolvers<Answer>();
  const chunks: Uint8Array[] = [];
  let length = 0;
  let status = 0;
  const fail = (why: string): void => resolve({ kind: 'failed', why });
  const close = openApi(server, path, {
    head: (code) => (status = code),
    data: (chunk) => {
      length += chunk.length;
      if (length > MOST_BYTES) fail(`the answer is larger than ${MOST_BYTES} bytes`);
      else chunks.push(chunk);
    },
    ended: (why) => {
      if (why !== undefined) return fail(why);
      const json = parseJson(Buffer.concat(chunks).toString('utf8'));
      if (json.ok) resolve({ kind: 'answered', status, body: json.value });
      else fail(`status ${status}, and no JSON`);
    },
  });
  const timer = setTimeout(() => fail(`no answer within ${DEADLINE_MS / 1000} s`), DEADLINE_MS);
  const answer = await promise;
  clearTimeout(timer);
  close();
  return answer;
}

function retryAfterOf({ headers }: IncomingMessage): Duration | undefined {
  const text = headers['retry-after'];
  return text !== undefined && SECONDS.test(text) ? seconds(Number(text)) : undefined;
}
