import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { getFromApi } from '../../src/kernel/kube-api.ts';
import { listenAsApi, makePki, type Pki } from '../support/kube-api.ts';

let pki: Pki;
before(async () => {
  pki = await makePki();
});
after(async () => await pki[Symbol.asyncDispose]());

type Server = Parameters<typeof getFromApi>[0];

async function serverAt(url: string, more: Partial<Server> = {}): Promise<Server> {
  const [ca, certificate, key] = await Promise.all(['ca.crt', 'client.crt', 'client.key'].map(pki.text));
  assert.ok(ca !== undefined && certificate !== undefined && key !== undefined);
  return { url, name: undefined, ca, certificate, key, token: undefined, ...more };
}

async function whyNot(server: Server, path = '/x'): Promise<string> {
  const answer = await getFromApi(server, path);
  return answer.kind === 'failed' ? answer.why : `answered ${answer.status}`;
}

test('an answer, with its status; the client is who its certificate says', async () => {
  await using api = await listenAsApi(pki, (request, response) => {
    const socket = request.socket as unknown as { getPeerCertificate: () => { subject: { CN: string } } };
    response.statusCode = request.url === '/teapot' ? 418 : 200;
    response.end(JSON.stringify({ who: socket.getPeerCertificate().subject.CN }));
  });
  const body = { who: 'system:node:worker' };
  const server = await serverAt(api.url);
  assert.deepEqual(await getFromApi(server, '/y'), { kind: 'answered', status: 200, body });
  assert.deepEqual(await getFromApi(server, '/teapot'), { kind: 'answered', status: 418, body });
  assert.deepEqual(api.asked, ['/y', '/teapot']);
  const named = await getFromApi({ ...server, name: 'kubernetes' }, '/y');
  assert.equal(named.kind, 'answered');
});

test('a server that this authority does not vouch for, or of another name, is told nothing', async () => {
  await using api = await listenAsApi(pki, (_, response) => response.end('{}'));
  const stranger = await pki.text('stranger.crt');
  assert.match(await whyNot(await serverAt(api.url, { ca: stranger })), /certificate|self-signed|unable to/i);
  assert.match(await whyNot(await serverAt(api.url, { name: 'elsewhere' })), /does not match|altnames/i);
  assert.match(await whyNot(await serverAt(api.url.replace('127.0.0.1', '127.0.0.2'))), /REFUSED|altnames/);
  assert.match(
    await whyNot(await serverAt(api.url, { key: 'no key', certificate: 'none' })),
    /PEM|no start line|DECODER/i,
  );
  assert.deepEqual(api.asked, []);
});

test('a redirect is an answer and not followed; what is no JSON, too large or never ends is none', async () => {
  await using elsewhere = await listenAsApi(pki, (_, response) => response.end('{}'));
  await using api = await listenAsApi(pki, ({ url }, response) => {
    if (url === '/redirect') {
      response.writeHead(302, { Location: `${elsewhere.url}/y` });
      response.end('{}');
    } else if (url === '/html') response.end('<html>');
    else if (url === '/huge') response.end(' '.repeat((8 << 20) + 1));
    else response.write('{');
  });
  const server = await serverAt(api.url);
  assert.equal(await whyNot(server, '/redirect'), 'answered 302');
  assert.deepEqual(elsewhere.asked, []);
  assert.match(await whyNot(server, '/html'), /status 200, and no JSON/);
  assert.match(await whyNot(server, '/huge'), /larger than 8388608 bytes/);
  assert.match(await whyNot(server, '/endless'), /no answer within 3 s/);
});
