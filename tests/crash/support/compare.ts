import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import * as v from 'valibot';
import { isErrno } from '../../../src/lab/errno.ts';
import { mapParallel } from '../../../src/lab/parallel.ts';
import { pause, waitFor } from '../../../src/lab/wait.ts';
import type { LanSite } from '../../daemon/support/lan.ts';
import { get } from '../../daemon/support/site.ts';
import { spoolEntries } from '../../daemon/support/spooled.ts';
import type { Life, Slot } from './load.ts';

const AT_ONCE = 4;
/** For what is still under way when the load has ended: a RELEASE owed waits for its turn. */
const DEADLINE_MS = 15_000;
const AGAIN_MS = 50;

/** Container ids (short) and their addresses, sorted: what every side has to agree on. */
type Held = readonly string[];

/** The addresses that these have to have now, in their order. */
export type AddressOf = (lives: readonly Life[]) => Promise<readonly (string | undefined)[]>;

const Record = v.object({
  key: v.object({ containerId: v.string() }),
  owner: v.string(),
  state: v.object({ lease: v.optional(v.object({ address: v.object({ address: v.string() }) })) }),
});
const Listed = v.array(v.object({ containerId: v.string(), address: v.nullable(v.string()) }));
const Links = v.array(
  v.object({
    ifname: v.optional(v.string()),
    addr_info: v.optional(v.array(v.object({ family: v.string(), local: v.string() }))),
  }),
);

function shortOf(containerId: string): string {
  return containerId.slice(0, 20);
}

function entry(owner: string, address: string | null | undefined): string {
  return `${shortOf(owner)} ${address}`;
}

/** What pods have: by `addressOf`, which knows what has become of the address that the runtime was told. */
async function heldByPods(slots: readonly Slot[], addressOf: AddressOf): Promise<Held> {
  const running = slots.flatMap(({ running: life }) => life ?? []);
  const addresses = await addressOf(running);
  return running.map(({ attachment }, at) => entry(attachment.containerId, addresses[at])).sort();
}

/** Records; a RELEASE that is still owed is one as well, and said to be. */
function heldByStore(site: LanSite): Held {
  const folder = join(site.stateDir, 'leases');
  return readdirSync(folder)
    .flatMap((name) => {
      const text = readUnlessGone(join(folder, name));
      if (text === undefined) return [];
      const { key, owner, state } = v.parse(Record, JSON.parse(text));
      const held = entry(key.containerId, state.lease?.address.address);
      return owner === 'gone' ? `${held} owed` : held;
    })
    .sort();
}

/** The daemon goes on while it is looked at: a debt may be settled at this moment. */
function readUnlessGone(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Looks until it is as expected; then, or when the time is up, says how it differs. */
async function agree(
  who: string,
  look: () => Held | Promise<Held>,
  expect: () => Promise<Held>,
): Promise<void> {
  const end = performance.now() + DEADLINE_MS;
  let [seen, expected] = [await look(), await expect()];
  while (!isDeepStrictEqual(seen, expected) && performance.now() < end) {
    await pause(AGAIN_MS);
    [seen, expected] = [await look(), await expect()];
  }
  assert.deepEqual(seen, expected, who);
}

async function heldByDaemon(site: LanSite): Promise<Held> {
  const { json } = await get(site.socket, '/v1/leases');
  return v
    .parse(Listed, json)
    .map(({ containerId, address }) => entry(containerId, address))
    .sort();
}

/** What is in the pods' namespaces, in those of pods that are gone as well; named by the pod. */
async function heldByKernel(lives: readonly Life[]): Promise<Held> {
  const seen = await mapParallel(lives, AT_ONCE, async ({ namespace, attachment, end }) => {
    const links = v.parse(Links, JSON.parse(await namespace.ip('-j', 'address', 'show')));
    return links
      .filter(({ ifname }) => ifname !== undefined && ifname !== 'lo')
      .map(({ ifname, addr_info: info = [] }) => {
        const addresses = info.filter(({ family }) => family === 'inet').map(({ local }) => local);
        const isExpected = end === 'runs' && ifname === attachment.ifName;
        const owner = isExpected ? attachment.containerId : `${ifname} of ${attachment.containerId} (${end})`;
        return entry(owner, addresses.join(' and '));
      });
  });
  return seen.flat().sort();
}

/** The clients that hold a lease at the server, by container. */
async function heldByServer(site: LanSite): Promise<Held> {
  const leases = await site.lan.server.leases();
  return leases
    .map(({ clientId = '', ip }) => {
      const text = Buffer.from(clientId.replaceAll(':', ''), 'hex').toString('utf8');
      return entry(text.slice(1), ip);
    })
    .sort();
}

function inUnreadable(site: LanSite): readonly string[] {
  return readdirSync(join(site.stateDir, 'unreadable'));
}

/**
 * Waits until nothing is owed any more, then compares runtime, store, daemon, kernel and server. Gives how many leases
 * the server holds for ADDs that were cut: it lets them expire. `inKernel`: whose namespaces are there still.
 */
export async function compareAll(
  site: LanSite,
  slots: readonly Slot[],
  inKernel: readonly Life[],
  addressOf: AddressOf,
): Promise<number> {
  const lives = slots.flatMap((slot) => slot.lives);
  await waitFor('the spool to be empty', async () => (await spoolEntries(site)).length === 0);
  const expected = async (): Promise<Held> => await heldByPods(slots, addressOf);
  await agree('store', () => heldByStore(site), expected);
  await agree('daemon', () => heldByDaemon(site), expected);
  await agree('kernel', () => heldByKernel(inKernel), expected);
  assert.deepEqual(inUnreadable(site), []);
  const cut = lives.filter(({ end }) => end === 'cut').map(({ attachment }) => attachment.containerId);
  const isCut = (held: string): boolean => cut.some((id) => held.startsWith(shortOf(id)));
  let left = 0;
  const atServer = async (): Promise<Held> => {
    const held = await heldByServer(site);
    left = held.filter(isCut).length;
    return held.filter((one) => !isCut(one));
  };
  await agree('server', atServer, expected);
  return left;
}
