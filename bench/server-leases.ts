import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import * as v from 'valibot';
import type { JsonObject } from '../src/base/json.ts';
import { isErrno } from '../src/lab/errno.ts';
import type { HomeLan } from '../src/lab/home-lan.ts';

const ANSWER_LIMIT_MS = 10_000;
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
/** Kea's state of a lease in use. */
const STATE_DEFAULT = 0;
/** Kea's result when there are no leases at all. */
const RESULT_EMPTY = 3;
const LIBRARY = 'libdhcp_lease_cmds.so';

/** What the DHCP server has leased now: "ADDRESS MAC" of each. */
export type LeasedPairs = () => Promise<ReadonlySet<string>>;

export function pairOf(address: string, mac: string): string {
  return `${address} ${mac}`;
}

/** dnsmasq writes its file before it answers. */
export function dnsmasqPairs(lan: HomeLan): LeasedPairs {
  return async () => new Set((await lan.server.leases()).map(({ ip, mac }) => pairOf(ip, mac)));
}

async function findLibrary(): Promise<string> {
  for (const folder of await readdir('/usr/lib')) {
    const hooks = join('/usr/lib', folder, 'kea', 'hooks');
    try {
      if ((await readdir(hooks)).includes(LIBRARY)) return join(hooks, LIBRARY);
    } catch (error) {
      if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error;
    }
  }
  throw new Error(`Kea's ${LIBRARY} is not there; install Debian's kea-common`);
}

/** Kea's own settings: a socket that can be asked for the leases, which are in memory only. */
export async function keaControl(socket: string): Promise<JsonObject> {
  return {
    'control-socket': { 'socket-type': 'unix', 'socket-name': socket },
    'hooks-libraries': [{ library: await findLibrary() }],
  };
}

/** Sends one command and gives the whole answer; Kea ends the connection after it. */
async function ask(socket: string, command: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const parts: Buffer[] = [];
  let length = 0;
  const connection = connect(socket, () => connection.write(JSON.stringify({ command })));
  connection.setTimeout(ANSWER_LIMIT_MS, () => connection.destroy(new Error(`Kea: no answer to ${command}`)));
  connection.on('data', (part) => {
    const bytes = Buffer.from(part);
    length += bytes.length;
    if (length > MAX_ANSWER_BYTES) connection.destroy(new Error('Kea: the answer is too long'));
    parts.push(bytes);
  });
  connection.on('error', reject);
  connection.on('end', () => resolve(Buffer.concat(parts).toString('utf8')));
  return await promise;
}

const answerSchema = v.object({
  result: v.number(),
  text: v.optional(v.string(), ''),
  arguments: v.optional(
    v.object({
      leases: v.array(v.object({ 'ip-address': v.string(), 'hw-address': v.string(), state: v.number() })),
    }),
  ),
});

/** Through Kea's lease commands (kea-admin manual, lease4-get-all). */
export function keaPairs(socket: string): LeasedPairs {
  return async () => {
    const answer = v.parse(answerSchema, JSON.parse(await ask(socket, 'lease4-get-all')));
    if (answer.result !== 0 && answer.result !== RESULT_EMPTY) throw new Error(`Kea: ${answer.text}`);
    const inUse = (answer.arguments?.leases ?? []).filter(({ state }) => state === STATE_DEFAULT);
    return new Set(inUse.map((lease) => pairOf(lease['ip-address'], lease['hw-address'])));
  };
}
