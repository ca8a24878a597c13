import { join } from 'node:path';
import { parseIpv4, type Ipv4 } from '../base/ipv4.ts';
import { ask, type AskOptions, type Endpoint } from './ask.ts';
import { logSince } from './server.ts';
import { waitUntilReady, type LongProcess } from './long-process.ts';
import type { Namespace } from './namespace.ts';
import type { Resources } from './resources.ts';

const PROGRAM = join(import.meta.dirname, 'web-server.ts');

/** Starts a web server that answers with its name, and waits until it takes connections on all addresses there. */
export async function startWebServer(
  namespace: Namespace,
  options: {
    readonly name: string;
    readonly port: number;
    readonly logFile: string;
    readonly resources: Resources;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<LongProcess> {
  const { name, port, logFile, resources, signal } = options;
  const said = await logSince(logFile);
  const command = [process.execPath, PROGRAM, name, String(port)];
  const started = await namespace.start(command, { name: `web server of ${name}`, logFile }, resources);
  await waitUntilReady(started, async () => (await said()).includes('ready'), { signal });
  return started;
}

/** Which web server answered, and the address by which it saw us. */
export type WebAnswer = { readonly server: string; readonly saw: Ipv4 | undefined };

export async function askWebServer(
  from: Namespace,
  to: Endpoint,
  options?: AskOptions,
): Promise<WebAnswer | undefined> {
  const said = await ask(from, to, options);
  const match = /^(.+) to (\S+)$/.exec(said ?? '');
  return match === null ? undefined : { server: match[1] ?? '', saw: parseIpv4(match[2] ?? '') };
}
