import { IPV4_ANY, type Ipv4 } from '../../../src/base/ipv4.ts';
import { pause, waitFor } from '../../../src/lab/wait.ts';
import { DISCOVER, RELEASE, REQUEST, type Seen } from '../../plugins/support/scripted.ts';
import type { ClientLan } from './client-lan.ts';
import type { ClientRun } from './real-clients.ts';

/** For leases of seconds on a machine that does other things too. */
export const PATIENCE = { deadlineMs: 50_000, everyMs: 100 };
export const SECOND_MS = 1000;

/** Option codes that rows speak of. */
export const CODE = { server: '54', wish: '50', list: '55', size: '57', id: '61' } as const;

/** Longer than any client waits before it asks; one that says nothing until then does not. */
const SOON_MS = 8000;

/** Waits for a message of the client, and gives what came before it as well. */
export async function until(
  client: ClientRun,
  what: string,
  isOne: (seen: Seen, before: readonly Seen[]) => boolean,
): Promise<{ readonly found: Seen; readonly before: readonly Seen[] }> {
  return await waitFor(
    what,
    async () => {
      const all = await client.seen();
      const at = all.findIndex((seen, index) => isOne(seen, all.slice(0, index)));
      const found = all[at];
      return found && { found, before: all.slice(0, at) };
    },
    { ...PATIENCE, describe: async () => JSON.stringify((await client.seen()).map(({ type }) => type)) },
  );
}

function isExtending({ type, ciaddr }: Seen): boolean {
  return type === REQUEST && ciaddr !== IPV4_ANY;
}

export function isRenewing(seen: Seen): boolean {
  return isExtending(seen) && seen.via === 'unicast';
}

export function isRebinding(seen: Seen): boolean {
  return isExtending(seen) && seen.via === 'broadcast';
}

export function way({ via, from, ciaddr }: Seen): string {
  const source = from === IPV4_ANY ? '0.0.0.0' : from === ciaddr ? 'its address' : from;
  return `${via === 'unicast' ? 'to the server' : 'to all'} from ${source}`;
}

function has({ options }: Seen, code: string): boolean {
  return options[code] !== undefined;
}

/** The options that say which lease is meant. */
export function naming(seen: Seen): string {
  const named = [CODE.wish, CODE.server, CODE.id].filter((code) => has(seen, code));
  return `with ${named.join(', ')}`;
}

export async function first(client: ClientRun): Promise<Seen> {
  return (await until(client, 'DISCOVER', ({ type }) => type === DISCOVER)).found;
}

export function listOf(hex: string | undefined): string {
  return (hex?.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16)).join(' ');
}

export const KINDS: Readonly<Record<string, string>> = {
  '00': 'text',
  '01': 'the MAC',
  ff: 'IAID and DUID (RFC 4361)',
};

export async function addressOf(client: ClientRun): Promise<Ipv4> {
  return await waitFor('an address', async () => await client.address(), PATIENCE);
}

/** What becomes of the ACK to the REQUEST for an OFFER. */
export async function whetherTaken(client: ClientRun): Promise<string> {
  return await waitFor(
    'what becomes of the ACK',
    async () => {
      if ((await client.address()) !== undefined) return 'is taken';
      const requests = (await client.seen()).filter(({ type }) => type !== DISCOVER);
      return requests.length > 1 && 'is not taken';
    },
    PATIENCE,
  );
}

/** What becomes of a FORCERENEW; it has given its lease back afterwards. */
export async function forced(client: ClientRun, lan: ClientLan, nonce?: Uint8Array): Promise<string> {
  const address = await addressOf(client);
  // RFC 3203 names no xid. dhcpcd hears none but that of its last exchange.
  const xid = (await client.seen()).at(-1)?.xid ?? 0;
  await lan.forceRenew(client.mac, address, xid, nonce);
  // What it would do it does at once.
  await pause(SECOND_MS);
  await client.release();
  const { before } = await until(client, 'RELEASE', ({ type }) => type === RELEASE);
  return before.some(isRenewing) ? 'is obeyed' : 'is passed over';
}

/** DISCOVER after a NAK: how soon. */
export async function afterNak(client: ClientRun, refused: (seen: Seen) => boolean): Promise<string> {
  const { found, before } = await until(
    client,
    'DISCOVER after the NAK',
    ({ type }, earlier) => type === DISCOVER && earlier.some(refused),
  );
  const soon = found.at - (before.at(-1)?.at ?? 0) < 2 * SECOND_MS;
  return `DISCOVER ${soon ? 'within two seconds' : 'later'}`;
}

/** What a client says after its cable was out for so long. */
export async function unplugged(client: ClientRun, { site }: ClientLan, ms: number): Promise<string> {
  await addressOf(client);
  const { length } = await client.seen();
  await site.lan.router.ip('link', 'set', client.port, 'down');
  await pause(ms);
  await site.lan.router.ip('link', 'set', client.port, 'up');
  return await saidAfter(client, length);
}

/** What a client says after so many messages, if it does so soon. */
export async function saidAfter(client: ClientRun, length: number): Promise<string> {
  const end = performance.now() + SOON_MS;
  while (performance.now() < end) {
    const next = (await client.seen())[length];
    if (next?.type === DISCOVER) return `DISCOVER${has(next, CODE.wish) ? ' with 50' : ''}`;
    if (next !== undefined) return `REQUEST ${way(next)}, ${naming(next)}`;
    await pause(PATIENCE.everyMs);
  }
  return 'nothing';
}
