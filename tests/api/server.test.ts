import assert from 'node:assert/strict';
import { createConnection } from 'node:net';
import { test, type TestContext } from 'node:test';
import { createApi, type ApiParts } from '../../src/api/server.ts';
import { instant } from '../../src/base/time.ts';
import type { CniRequest } from '../../src/cni/dispatch.ts';
import { getOverSocket } from '../../src/lab/daemon.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { cniRequest, sendAndHold, sendRaw, whenClosed } from '../daemon/support/raw.ts';
import { listening } from './support.ts';

const CLOSE = 'Connection: close';

const PARTS: ApiParts = {
  dispatcher: { handle: () => Promise.resolve({ ok: true, body: undefined }) },
  leases: { list: () => [], debts: () => [], servers: () => [], now: () => instant(0) },
  isReady: () => true,
  counters: () => ({ nak: 2 }),
  host: () => ({
    uplinks: [],
    services: [],
    servicesLeftOut: [],
    attachments: 0,
    guard: { problem: undefined },
    repairs: 0,
    fights: [],
    nested: [],
    sources: [],
    cluster: undefined,
  }),
  hostPods: () => Promise.resolve({ looked: 0, pods: [] }),
  adopt: () => Promise.resolve([]),
};

async function api(t: TestContext, change: Partial<ApiParts> = {}): Promise<string> {
  return await listening(t, createApi({ ...PARTS, ...change }));
}

/** A dispatcher that takes its time, and what it was asked. */
function slowDispatcher(): { handle: ApiParts['dispatcher']['handle']; asked: CniRequest[] } {
  const asked: CniRequest[] = [];
  const handle = async (request: CniRequest): Promise<never> => {
    asked.push(request);
    return await new Promise(() => undefined);
  };
  return { handle, asked };
}

test('a request reaches the dispatcher as it was sent, its answer the caller', async (t) => {
  const asked: CniRequest[] = [];
  const handle: ApiParts['dispatcher']['handle'] = (request) => {
    asked.push(request);
    return Promise.resolve({ ok: asked.length === 1, body: { code: 7, msg: 'ünsound' } });
  };
  const socket = await api(t, { dispatcher: { handle } });
  const head = ['Cni-Command: ADD', 'Cni-Args: a=%C3%BC%0A;b=', 'Cni-Netns:', 'Cni-Unknown: x', CLOSE];
  const good = await sendRaw(socket, cniRequest('{"ü":1}', head));
  assert.match(good, /^HTTP\/1\.1 200 [^]*\r\nContent-Length: 28\r\n[^]*\r\n\r\n\{"code":7,.*\}\n$/);
  assert.match(await sendRaw(socket, cniRequest('', head)), /^HTTP\/1\.1 400 /);
  const [first, second] = asked;
  assert.deepEqual(first?.environment, { CNI_COMMAND: 'ADD', CNI_ARGS: 'a=ü\n;b=', CNI_NETNS: '' });
  assert.equal(first?.plugin, 'macvlan');
  assert.deepEqual(Buffer.from(first?.stdin ?? []).toString(), '{"ü":1}');
  assert.equal(second?.stdin.length, 0);
});

test('a success without a body has a length all the same', async (t) => {
  const answer = await sendRaw(await api(t), cniRequest('{}', [CLOSE]));
  assert.match(answer, /^HTTP\/1\.1 200 [^]*\r\nContent-Length: 0\r\n[^]*\r\n\r\n$/);
});

test('before it is ready: health yes, readiness no, CNI "try again"', async (t) => {
  const socket = await api(t, { isReady: () => false });
  assert.equal((await getOverSocket(socket, '/healthz'))?.status, 200);
  assert.equal((await getOverSocket(socket, '/readyz'))?.status, 503);
  assert.match(await sendRaw(socket, cniRequest('{}', [CLOSE])), /^HTTP\/1\.1 503 [^]*"code":11,/);
});

test('ready for requests, but not for pods: readiness says why', async (t) => {
  const socket = await api(t, { unfit: () => Promise.resolve('no sysctl can be set') });
  const answer = await getOverSocket(socket, '/readyz');
  assert.deepEqual(answer, { status: 503, body: '{"status":"unfit","reason":"no sysctl can be set"}\n' });
  assert.match(await sendRaw(socket, cniRequest('{}', [CLOSE])), /^HTTP\/1\.1 200 /);
});

test('counters are shown', async (t) => {
  assert.equal((await getOverSocket(await api(t), '/v1/counters'))?.body, '{"nak":2}\n');
});

test('a dispatcher that breaks its promise costs one connection, not the server', async (t) => {
  const socket = await api(t, { dispatcher: { handle: () => Promise.reject(new Error('a bug')) } });
  assert.equal(await sendRaw(socket, cniRequest('{}')), '');
  assert.equal((await getOverSocket(socket, '/healthz'))?.status, 200);
});

test('who hangs up is known of', async (t) => {
  const dispatcher = slowDispatcher();
  const socket = await api(t, { dispatcher });
  const connection = createConnection(socket);
  connection.write(cniRequest('{}'));
  const request = await waitFor('the request', () => dispatcher.asked[0]);
  assert.equal(request.hangUp.aborted, false);
  connection.destroy();
  await waitFor('the hang-up', () => request.hangUp.aborted);
});

test('a request has to arrive in time; what is done with it takes as long as it takes', async (t) => {
  const dispatcher = slowDispatcher();
  const socket = await api(t, { dispatcher, requestPatienceMs: 100 });
  const working = await sendAndHold(socket, cniRequest('{}'));
  const request = await waitFor('the request', () => dispatcher.asked[0]);
  const slow = [
    await sendAndHold(socket, ''),
    await sendAndHold(socket, 'POST /cni/macvlan HTTP/1.1\r\nHost'),
    await sendAndHold(socket, cniRequest('{}').slice(0, -1)),
  ];
  await Promise.all(slow.map(whenClosed));
  assert.equal(request.hangUp.aborted, false);
  assert.equal(dispatcher.asked.length, 1);
  working.destroy();
});

test('connections are looked at often enough for the patience to mean something', () => {
  const server = createApi(PARTS);
  const interval: unknown = Reflect.get(server, 'connectionsCheckingInterval');
  assert.ok(typeof interval === 'number' && interval <= server.requestTimeout / 6, String(interval));
  assert.equal(server.headersTimeout, server.requestTimeout);
});
