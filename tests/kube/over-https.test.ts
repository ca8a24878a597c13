import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { after, before, test } from 'node:test';
import { instant } from '../../src/base/time.ts';
import { openApi } from '../../src/kernel/kube-api.ts';
import type { AnswerTaker, KubeWorld } from '../../src/kube/ports.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import { readServiceCidr } from '../../src/kube/shapes.ts';
import { listenAsApi, makePki, type Pki } from '../support/kube-api.ts';
import { event, listOf, NETWORKING, serviceCidr } from './support/world.ts';

// The machine and the transport together, against servers on loopback.

let pki: Pki;
before(async () => {
  pki = await makePki();
});
after(async () => await pki[Symbol.asyncDispose]());

type Server = Parameters<typeof openApi>[0];

async function serverAt(url: string, token?: string): Promise<Server> {
  const [ca, certificate, key] = await Promise.all(['ca.crt', 'client.crt', 'client.key'].map(pki.text));
  assert.ok(ca !== undefined);
  return { url, name: undefined, ca, certificate, key, token };
}

/** Of the machine's timers only those of a failure would matter here, and each test ends with the first. */
function worldOf(server: Server): KubeWorld {
  return {
    open: (path, taker) => openApi(server, path, taker),
    clock: { now: () => instant(performance.now()) },
    timers: {
      at: (at, callback) => {
        const timer = setTimeout(callback, Math.max(0, at - performance.now()));
        return () => clearTimeout(timer);
      },
    },
    random: () => 0,
  };
}

type Outcome = { readonly taken?: readonly string[]; readonly why?: string };

/** What the machine says first: objects, or a failure. `isDone` waits for other objects. */
async function first(
  server: Server,
  isDone: (all: readonly string[]) => boolean = () => true,
): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const reflector = new Reflector<{ readonly name: string }>({
    world: worldOf(server),
    path: '/cidrs',
    apiVersion: NETWORKING,
    kind: 'ServiceCIDR',
    read: (json) => {
      const read = readServiceCidr(json);
      return read === undefined ? undefined : { name: read.metadata.name };
    },
    taken: (all) => {
      const taken = all.map(({ name }) => name);
      if (isDone(taken)) resolve({ taken });
    },
    failed: ({ why }) => resolve({ why }),
  });
  reflector.start();
  try {
    return await promise;
  } finally {
    reflector.close();
  }
}

function endless(response: ServerResponse, chunk: string): void {
  const more = (): void => {
    while (!response.destroyed && response.write(chunk));
    if (!response.destroyed) response.once('drain', more);
  };
  more();
}

const LIST = JSON.stringify(listOf([serviceCidr('kubernetes', ['10.96.0.0/16'])]));

test('a list and a watch, by a token; the server learns who asks and nothing else', async () => {
  const heads: (string | undefined)[] = [];
  await using api = await listenAsApi(pki, ({ url, headers }, response) => {
    heads.push(headers.authorization);
    if (!url?.includes('watch=1')) return void response.end(LIST);
    const line = event('ADDED', serviceCidr('more', ['10.97.0.0/16'], { version: '11' }));
    response.write(line.slice(0, 40));
    setImmediate(() => response.write(line.slice(40)));
  });
  const { taken } = await first(await serverAt(api.url, 'abc'), (all) => all.length === 2);
  assert.deepEqual(taken, ['kubernetes', 'more']);
  assert.deepEqual(heads, ['Bearer abc', 'Bearer abc']);
  assert.match(api.asked[1] ?? '', /watch=1&allowWatchBookmarks=true&timeoutSeconds=240&resourceVersion=10$/);
});

test('who cancels is gone from the server, and hears nothing more', async () => {
  const gone = Promise.withResolvers<void>();
  await using api = await listenAsApi(pki, (request, response) => {
    request.socket.on('close', () => gone.resolve());
    response.write('{');
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  const heard: string[] = [];
  const taker: AnswerTaker = {
    head: () => heard.push('head'),
    data: () => {
      heard.push('data');
      resolve();
    },
    ended: () => heard.push('ended'),
  };
  const cancel = openApi(await serverAt(api.url), '/x', taker);
  await promise;
  cancel();
  await gone.promise;
  assert.deepEqual(heard, ['head', 'data']);
});

test('how long the server asks to stay away is heard, in seconds and not as a date', async () => {
  await using api = await listenAsApi(pki, ({ url }, response) => {
    const wait = url === '/seconds' ? '7' : 'Wed, 21 Oct 2015 07:28:00 GMT';
    response.writeHead(429, { 'Retry-After': wait }).end();
  });
  const server = await serverAt(api.url);
  const waitAt = async (path: string): Promise<number | undefined> => {
    const { promise, resolve } = Promise.withResolvers<number | undefined>();
    const taker = { head: (_: number, wait: number | undefined) => resolve(wait), data: () => undefined };
    const cancel = openApi(server, path, { ...taker, ended: () => undefined });
    const wait = await promise;
    cancel();
    return wait;
  };
  assert.deepEqual([await waitAt('/seconds'), await waitAt('/date')], [7000, undefined]);
});

test('a proxy in the environment is not used', async () => {
  await using api = await listenAsApi(pki, (_, response) => void response.end(LIST));
  const environment = { ...process.env };
  Object.assign(process.env, { HTTPS_PROXY: 'http://127.0.0.1:9', NODE_USE_ENV_PROXY: '1' });
  try {
    const { taken } = await first(await serverAt(api.url));
    assert.deepEqual(taken, ['kubernetes']);
  } finally {
    process.env = environment;
  }
});

for (const [what, answer, why] of [
  [
    'redirects in a circle',
    (response) => response.writeHead(302, { Location: '/cidrs' }).end(),
    /status 302/,
  ],
  [
    'lists without end',
    (response) => endless(response, `${JSON.stringify(serviceCidr('x', ['0.0.0.0/1']))},`.repeat(500)),
    /larger than 4194304 bytes/,
  ],
  [
    'shows another kind',
    (response) => response.end('{"kind":"SecretList","items":[]}'),
    /no ServiceCIDRList/,
  ],
  ['answers by HTML', (response) => response.end('<html>'), /no JSON/],
  ['hangs up', (response) => response.destroy(), /hang up|ECONNRESET/],
  ['hangs up within', (response) => void response.write('{', () => response.destroy()), /aborted|ECONNRESET/],
] satisfies readonly (readonly [string, (response: ServerResponse) => void, RegExp])[]) {
  test(`a server that ${what} is one that fails, and is asked once`, async () => {
    await using api = await listenAsApi(pki, (_, response) => answer(response));
    const { why: said } = await first(await serverAt(api.url));
    assert.match(said ?? '', why);
    assert.deepEqual(api.asked, ['/cidrs?limit=256']);
  });
}

test('a watch of one endless line is cut off', async () => {
  let closed: Promise<unknown> | undefined;
  await using api = await listenAsApi(pki, ({ url }, response) => {
    if (!url?.includes('watch=1')) return void response.end(LIST);
    closed = once(response, 'close');
    endless(response, 'a'.repeat(64 << 10));
  });
  const { why } = await first(await serverAt(api.url), () => false);
  assert.match(why ?? '', /says more than it may/);
  await closed;
});
