import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { getJson } from '../../src/api/client.ts';
import { fakeDaemon, folder } from './support.ts';

test('the JSON of an answer', async (t) => {
  const socket = await fakeDaemon(t, (request, response) =>
    response.end(JSON.stringify({ url: request.url })),
  );
  assert.deepEqual(await getJson(socket, '/v1/leases'), { url: '/v1/leases' });
});

test('no daemon: says what to start', async (t) => {
  const path = join(await folder(t), 'd.sock');
  const message = new RegExp(`^Error: no daemon at ${path}: start it with "leasehold daemon"$`);
  await assert.rejects(getJson(path, '/'), message);
  await writeFile(path, '');
  await assert.rejects(getJson(path, '/'), message);
});

test('answers that cannot be used', async (t) => {
  const socket = await fakeDaemon(t, (request, response) => {
    if (request.url === '/status') response.writeHead(503).end('starting\n');
    else if (request.url === '/text') response.end('hello');
    else if (request.url === '/cut')
      response.writeHead(200, { 'Content-Length': 9 }).write('{', () => response.destroy());
    else if (request.url === '/deep') response.end('['.repeat(10_000));
    else response.end('x'.repeat(17 << 20));
  });
  await assert.rejects(getJson(socket, '/status'), /answered \/status with 503: starting$/);
  await assert.rejects(getJson(socket, '/text'), /answered \/text with something that is not JSON/);
  await assert.rejects(getJson(socket, '/deep'), /not JSON/);
  await assert.rejects(getJson(socket, '/cut'), /aborted/);
  await assert.rejects(getJson(socket, '/large'), /larger than 16777216 bytes/);
});
