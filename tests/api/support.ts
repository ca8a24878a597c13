import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

export async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), `lh${process.pid}-api-`));
  t.after(async () => await rm(path, { recursive: true, force: true }));
  return path;
}

/** Listens in a folder of the test's own and gives the socket's path. */
export async function listening(t: TestContext, server: Server): Promise<string> {
  const socket = join(await folder(t), 'd.sock');
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(socket, resolve);
  await promise;
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return socket;
}

/** A daemon that answers everything like this. */
export async function fakeDaemon(t: TestContext, listener: RequestListener): Promise<string> {
  return await listening(t, createServer(listener));
}

/** A log whose lines a test can look at. */
export function silence(): {
  readonly lines: string[];
  readonly info: (fields: object, text: string) => void;
  readonly warn: (fields: object, text: string) => void;
} {
  const lines: string[] = [];
  const push = (fields: object, text: string): void => void lines.push(`${text} ${JSON.stringify(fields)}`);
  return { lines, info: push, warn: push };
}
