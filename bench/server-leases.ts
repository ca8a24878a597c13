import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as v from 'valibot';
import { invariant } from '../src/base/invariant.ts';
import type { JsonObject } from '../src/base/json.ts';
import { type Mac, parseMac } from '../src/base/mac.ts';
import { isErrno } from '../src/lab/errno.ts';
import type { HomeLan } from '../src/lab/home-lan.ts';
import { nowSeconds } from '../src/lab/server.ts';
import { askKea } from './kea-socket.ts';

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

/** The second half of a pair. */
export function macOfPair(pair: string): Mac {
  const mac = parseMac(pair.split(' ')[1] ?? '');
  invariant(mac !== undefined, `a pair is an address and a MAC address: ${pair}`);
  return mac;
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

const answerSchema = v.object({
  result: v.number(),
  text: v.optional(v.string(), ''),
  arguments: v.optional(
    v.object({
      leases: v.array(
        v.object({
          'ip-address': v.string(),
          'hw-address': v.string(),
          state: v.number(),
          /** Seconds since 1970 of the last ACK, and how long it was for. */
          cltt: v.number(),
          'valid-lft': v.number(),
        }),
      ),
    }),
  ),
});

type KeaLease = NonNullable<v.InferOutput<typeof answerSchema>['arguments']>['leases'][number];

/** Through Kea's lease commands (kea-admin manual, lease4-get-all). */
async function keaLeases(socket: string): Promise<readonly KeaLease[]> {
  const answer = v.parse(answerSchema, await askKea(socket, 'lease4-get-all'));
  if (answer.result !== 0 && answer.result !== RESULT_EMPTY) throw new Error(`Kea: ${answer.text}`);
  return (answer.arguments?.leases ?? []).filter(({ state }) => state === STATE_DEFAULT);
}

export function keaPairs(socket: string): LeasedPairs {
  return async () =>
    new Set((await keaLeases(socket)).map((lease) => pairOf(lease['ip-address'], lease['hw-address'])));
}

/** Only leases whose time has not passed: Kea keeps the others too until it finds the time to reclaim them. */
export function keaPairsInForce(socket: string): LeasedPairs {
  return async () => {
    const now = nowSeconds();
    const inForce = (await keaLeases(socket)).filter(({ cltt, 'valid-lft': valid }) => cltt + valid > now);
    return new Set(inForce.map((lease) => pairOf(lease['ip-address'], lease['hw-address'])));
  };
}

/** Kea's packet counters: what it heard and what it said, whatever the clients claim. */
const COUNTERS = {
  received: 'pkt4-received',
  acks: 'pkt4-ack-sent',
  naks: 'pkt4-nak-sent',
} as const;

const samplesSchema = v.object({
  result: v.literal(0),
  // A list of [value, time] for each name; the newest comes first.
  arguments: v.record(v.string(), v.array(v.tuple([v.number(), v.string()]))),
});

/** Packets of Kea's since it was started. */
export type ServerCount = Readonly<Record<keyof typeof COUNTERS, number>>;

/** Through statistic-get (Kea's manual, "Statistics"). A counter that was never touched is not there: 0. */
export async function keaCount(socket: string): Promise<ServerCount> {
  const read = async (name: string): Promise<number> => {
    const answer = v.parse(samplesSchema, await askKea(socket, 'statistic-get', { name }));
    return answer.arguments[name]?.[0]?.[0] ?? 0;
  };
  const [received, acks, naks] = await Promise.all([
    read(COUNTERS.received),
    read(COUNTERS.acks),
    read(COUNTERS.naks),
  ]);
  return { received, acks, naks };
}
