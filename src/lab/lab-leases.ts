import * as v from 'valibot';
import { parseJson } from '../base/json.ts';
import { seconds, type Duration } from '../base/time.ts';
import { getOverSocket } from './daemon.ts';
import { isErrno } from './errno.ts';
import { parseDnsmasqLeases } from './lease-files.ts';
import { nowSeconds, readIfThere } from './server.ts';

const HTTP_OK = 200;

/** What the daemon says of each lease; other fields are its own business. */
const leasesSchema = v.array(
  v.object({ containerId: v.string(), address: v.string(), expiresInSeconds: v.number() }),
);

export type LeaseLeft = { readonly address: string; readonly left: Duration };

async function fromDaemon(socket: string): Promise<readonly LeaseLeft[] | undefined> {
  try {
    const answer = await getOverSocket(socket, '/v1/leases');
    if (answer?.status !== HTTP_OK) return undefined;
    const json = parseJson(answer.body);
    const parsed = v.safeParse(leasesSchema, json.ok ? json.value : undefined);
    if (!parsed.success) return undefined;
    return parsed.output.map(({ address, expiresInSeconds }) => ({
      address,
      left: seconds(expiresInSeconds),
    }));
  } catch (error) {
    if (error instanceof Error && !isErrno(error)) return undefined; // an answer that broke off is no answer
    throw error;
  }
}

/** How long each address is still good for: the daemon's own word, else the router's lease file. */
export async function leasesLeft(socket: string, leaseFile: string): Promise<readonly LeaseLeft[]> {
  const own = await fromDaemon(socket);
  if (own !== undefined) return own;
  const now = nowSeconds();
  return parseDnsmasqLeases(await readIfThere(leaseFile), now).map(({ ip, expiresAt }) => ({
    address: ip,
    left: seconds((expiresAt ?? Infinity) - now),
  }));
}
