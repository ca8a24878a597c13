import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { waitUntilReady } from '../../../src/lab/long-process.ts';
import { OTHER_SOURCE } from '../../plugins/support/scripted.ts';
import type { Site } from '../../plugins/support/site.ts';

/** `good`: as RFC 6704 has it; `again`: the last good one once more, byte for byte. */
export type ForceCommand = {
  readonly do: 'force';
  readonly chaddr: string;
  readonly how:
    | 'good'
    | 'again'
    | 'unauthenticated'
    | 'wrong-key'
    | 'other-server'
    | 'other-mac'
    | 'broadcast'
    | 'truncated';
};

export type Command =
  | ForceCommand
  /** What option 3 says from now on. */
  | { readonly do: 'router'; readonly address: string }
  /** The next REQUEST is refused, and its client gets another address. */
  | { readonly do: 'refuse-next' }
  /** The next ACK to this client has a new nonce. */
  | { readonly do: 'new-nonce'; readonly chaddr: string }
  | { readonly do: 'show'; readonly chaddr: string };

/** Of the client that the command was about: the nonce as hex, empty where it has none. */
export type Answer = { readonly requests: number; readonly nonce: string };

export type NonceServer = { readonly tell: (command: Command) => Promise<Answer> };

/** Starts the server on the router of a site that has no other. */
export async function startNonceServer(site: Site): Promise<NonceServer> {
  const { router, routerAddress, resources, folder } = site.lan;
  await router.ip('addr', 'add', `${OTHER_SOURCE}/32`, 'dev', 'br0');
  // Broadcasts to 255.255.255.255 need a way out; the router has but one interface.
  await router.ip('route', 'add', '255.255.255.255/32', 'dev', 'br0');
  const logFile = join(folder, 'nonce-server.log');
  const socket = join(folder, 'nonce-server.sock');
  const command = [
    process.execPath,
    join(import.meta.dirname, 'nonce-server.ts'),
    routerAddress.address,
    OTHER_SOURCE,
    socket,
  ];
  const started = await router.start(command, { name: 'nonce server', logFile }, resources);
  await waitUntilReady(started, async () => (await readFile(logFile, 'utf8')).includes('{"ready":true}'));
  return { tell: async (asked) => await ask(socket, asked) };
}

function ask(socket: string, command: Command): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const connection = connect(socket, () => connection.write(`${JSON.stringify(command)}\n`));
  connection.on('error', reject);
  createInterface(connection).on('line', (line) => {
    connection.end();
    resolve(JSON.parse(line) as Answer);
  });
  return promise;
}
