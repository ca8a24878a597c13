import { connect } from 'node:net';
import type { JsonObject } from '../src/base/json.ts';

const ANSWER_LIMIT_MS = 10_000;
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/**
 * Sends one command to Kea's control socket and gives the whole answer, as JSON that nobody has looked at; Kea ends
 * the connection after it. Rejects when there is no answer within 10 s, or one of more than 64 MiB.
 */
export async function askKea(socket: string, command: string, args?: JsonObject): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const parts: Buffer[] = [];
  let length = 0;
  const asked = args === undefined ? { command } : { command, arguments: args };
  const connection = connect(socket, () => connection.write(JSON.stringify(asked)));
  connection.setTimeout(ANSWER_LIMIT_MS, () => connection.destroy(new Error(`Kea: no answer to ${command}`)));
  connection.on('data', (part) => {
    const bytes = Buffer.from(part);
    length += bytes.length;
    if (length > MAX_ANSWER_BYTES) connection.destroy(new Error('Kea: the answer is too long'));
    parts.push(bytes);
  });
  connection.on('error', reject);
  connection.on('end', () => resolve(Buffer.concat(parts).toString('utf8')));
  return JSON.parse(await promise);
}
