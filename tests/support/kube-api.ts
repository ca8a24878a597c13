import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Files of a small PKI in a folder of its own: an authority, a server of 127.0.0.1, a client, and a stranger's authority with a
 * server of the same address ("next-server").
 */
export type Pki = AsyncDisposable & {
  readonly folder: string;
  readonly text: (name: string) => Promise<string>;
};

/** Keys of an elliptic curve: those of RSA take seconds. */
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

export async function makePki(): Promise<Pki> {
  const folder = await mkdtemp(join(tmpdir(), `kube-pki-${process.pid}-`));
  const openssl = async (...args: readonly string[]): Promise<unknown> =>
    await run('openssl', [...args], { cwd: folder });
  for (const name of ['ca', 'stranger']) {
    const own = ['-keyout', `${name}.key`, '-out', `${name}.crt`, '-subj', `/CN=${name}`, '-days', '2'];
    await openssl('req', '-x509', ...NEW_KEY, ...own);
  }
  await writeFile(join(folder, 'server.ext'), 'subjectAltName=IP:127.0.0.1,IP:10.96.0.1,DNS:kubernetes\n');
  await writeFile(join(folder, 'client.ext'), 'extendedKeyUsage=clientAuth\n');
  await copyFile(join(folder, 'server.ext'), join(folder, 'next-server.ext'));
  for (const [name, subject, authority] of [
    ['server', '/CN=kube-apiserver', 'ca'],
    ['next-server', '/CN=kube-apiserver', 'stranger'],
    ['client', '/O=system:nodes/CN=system:node:worker', 'ca'],
  ] as const) {
    await openssl('req', ...NEW_KEY, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', subject);
    const by = [
      '-CA',
      `${authority}.crt`,
      '-CAkey',
      `${authority}.key`,
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      `${name}.ext`,
    ];
    await openssl('x509', '-req', '-in', `${name}.csr`, ...by, '-out', `${name}.crt`);
  }
  return {
    folder,
    text: async (name) => await readFile(join(folder, name), 'utf8'),
    [Symbol.asyncDispose]: async () => await rm(folder, { recursive: true, force: true }),
  };
}

export type FakeApi = AsyncDisposable & { readonly url: string; readonly asked: string[] };

/** An HTTPS server on loopback that wants a certificate of the PKI from whoever asks, as kube-apiserver does. */
export async function listenAsApi(
  pki: Pki,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<FakeApi> {
  const asked: string[] = [];
  const [ca, cert, key] = await Promise.all(['ca.crt', 'server.crt', 'server.key'].map(pki.text));
  const server = createServer(
    { ca, cert, key, requestCert: true, rejectUnauthorized: true },
    (request, response) => {
      asked.push(request.url ?? '');
      answer(request, response);
    },
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://127.0.0.1:${port}`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
