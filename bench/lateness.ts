import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseJson } from '../src/base/json.ts';
import type { Mac } from '../src/base/mac.ts';
import { isErrno } from '../src/lab/errno.ts';
import { parseRecord } from '../src/lease/record.ts';
import { DHCP_MESSAGE_TYPE } from '../src/wire/dhcp4/message-type.ts';
import type { Seen } from './capture.ts';
import type { Clocks } from './clocks.ts';

const SUFFIX = '.json';

/** When each client is to renew next, milliseconds since 1970: T1 as the daemon has stored it, random fuzz included. */
export type Due = { readonly readAtMs: number; readonly at: ReadonlyMap<Mac, number> };

async function readDue(path: string): Promise<readonly [Mac, number] | undefined> {
  try {
    const json = parseJson(await readFile(path, 'utf8'));
    const record = json.ok ? parseRecord(json.value) : json;
    if (!record.ok || record.value.state.kind !== 'bound') return undefined;
    const renewAt = record.value.state.lease.times?.renewAt;
    return renewAt === undefined ? undefined : [record.value.link.mac, renewAt];
  } catch (error) {
    // Renamed away in this moment: the lease is being renewed, and its next T1 is seconds away.
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Reads the stored leases of these clients. */
export async function readDues(folder: string, clocks: Clocks, of: ReadonlySet<Mac>): Promise<Due> {
  const readAtMs = performance.timeOrigin + performance.now();
  const names = (await readdir(folder)).filter((name) => name.endsWith(SUFFIX));
  const dues = await Promise.all(names.map((name) => readDue(join(folder, name))));
  const known = dues.flatMap((due) => (due !== undefined && of.has(due[0]) ? [due] : []));
  return { readAtMs, at: new Map(known.map(([mac, renewAt]) => [mac, renewAt + clocks.boot])) };
}

/** Milliseconds since 1970. */
export type Window = { readonly fromMs: number; readonly toMs: number };

/** Of the renewals that were due in a window. */
export type Lateness = {
  /** From T1 to the REQUEST on the wire. */
  readonly lateMs: readonly number[];
  /** Renewals whose REQUEST was never seen. */
  readonly missing: number;
};

/** How late each REQUEST was that was due in the window. */
export function latenessIn(seen: readonly Seen[], { readAtMs, at }: Due, { fromMs, toMs }: Window): Lateness {
  const first = new Map<Mac, number>();
  for (const { type, chaddr, atMs } of seen) {
    if (type !== DHCP_MESSAGE_TYPE.DHCPREQUEST || atMs < readAtMs || first.has(chaddr)) continue;
    first.set(chaddr, atMs);
  }
  const due = [...at].filter(([, dueMs]) => dueMs >= fromMs && dueMs <= toMs);
  const lateMs = due.flatMap(([mac, dueMs]) => {
    const sentMs = first.get(mac);
    return sentMs === undefined ? [] : [sentMs - dueMs];
  });
  return { lateMs, missing: due.length - lateMs.length };
}
