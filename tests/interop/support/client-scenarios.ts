import { IPV4_ANY, type Ipv4 } from '../../../src/base/ipv4.ts';
import { pause, waitFor } from '../../../src/lab/wait.ts';
import { NONCE } from '../../plugins/support/scripted-spoils.ts';
import { DISCOVER, RELEASE, REQUEST, type Seen } from '../../plugins/support/scripted.ts';
import type { ClientLan } from './client-lan.ts';
import type { Session } from './real-clients.ts';

/** For leases of seconds on a machine that does other things too. */
const PATIENCE = { deadlineMs: 50_000, everyMs: 100 };
const DECLINE = '04';
const SECOND_MS = 1000;

/** Of the ten seconds of RFC 2131 3.1 (5), as the server's clock has them. */
const DECLINE_WAIT_MS = 9500;

/** Option codes that rows speak of. */
const CODE = { server: '54', wish: '50', list: '55', size: '57', id: '61' } as const;

export type ClientScenario = {
  readonly title: string;
  /** What the server does: see scripted-spoils.ts. Those of one behaviour look at the same run of a client. */
  readonly behaviour: string;
  /** It looks for others that have its address; by default only Leasehold, and beside its use of the address. */
  readonly probes?: boolean;
  /** In a home of its own: what it does to one pod it does to all of the node. */
  readonly apart?: boolean;
  readonly observe: (session: Session, lan: ClientLan) => Promise<string>;
  /** Why Leasehold is unlike both of the others. */
  readonly reason?: string;
};

/** Waits for a message of the client, and gives what came before it as well. */
async function until(
  session: Session,
  what: string,
  isOne: (seen: Seen, before: readonly Seen[]) => boolean,
): Promise<{ readonly found: Seen; readonly before: readonly Seen[] }> {
  return await waitFor(
    what,
    async () => {
      const all = await session.seen();
      const at = all.findIndex((seen, index) => isOne(seen, all.slice(0, index)));
      const found = all[at];
      return found && { found, before: all.slice(0, at) };
    },
    { ...PATIENCE, describe: async () => JSON.stringify((await session.seen()).map(({ type }) => type)) },
  );
}

function isExtending({ type, ciaddr }: Seen): boolean {
  return type === REQUEST && ciaddr !== IPV4_ANY;
}

function isRenewing(seen: Seen): boolean {
  return isExtending(seen) && seen.via === 'unicast';
}

function isRebinding(seen: Seen): boolean {
  return isExtending(seen) && seen.via === 'broadcast';
}

function way({ via, from, ciaddr }: Seen): string {
  const source = from === IPV4_ANY ? '0.0.0.0' : from === ciaddr ? 'its address' : from;
  return `${via === 'unicast' ? 'to the server' : 'to all'} from ${source}`;
}

function has({ options }: Seen, code: string): boolean {
  return options[code] !== undefined;
}

/** The options that say which lease is meant. */
function naming(seen: Seen): string {
  const named = [CODE.wish, CODE.server, CODE.id].filter((code) => has(seen, code));
  return `with ${named.join(', ')}`;
}

async function first(session: Session): Promise<Seen> {
  return (await until(session, 'DISCOVER', ({ type }) => type === DISCOVER)).found;
}

function listOf(hex: string | undefined): string {
  return (hex?.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16)).join(' ');
}

const KINDS: Readonly<Record<string, string>> = {
  '00': 'text',
  '01': 'the MAC',
  ff: 'IAID and DUID (RFC 4361)',
};

async function addressOf(session: Session): Promise<Ipv4> {
  return await waitFor('an address', async () => await session.address(), PATIENCE);
}

/** What becomes of the ACK to the REQUEST for an OFFER. */
async function whetherTaken(session: Session): Promise<string> {
  return await waitFor(
    'what becomes of the ACK',
    async () => {
      if ((await session.address()) !== undefined) return 'is taken';
      const requests = (await session.seen()).filter(({ type }) => type !== DISCOVER);
      return requests.length > 1 && 'is not taken';
    },
    PATIENCE,
  );
}

/** What becomes of a FORCERENEW; it has given its lease back afterwards. */
async function forced(session: Session, lan: ClientLan, nonce?: Uint8Array): Promise<string> {
  const address = await addressOf(session);
  // RFC 3203 names no xid. dhcpcd hears none but that of its last exchange.
  const xid = (await session.seen()).at(-1)?.xid ?? 0;
  await lan.forceRenew(session.mac, address, xid, nonce);
  // What it would do it does at once.
  await pause(SECOND_MS);
  await session.release();
  const { before } = await until(session, 'RELEASE', ({ type }) => type === RELEASE);
  return before.some(isRenewing) ? 'is obeyed' : 'is passed over';
}

/** DISCOVER after a NAK: how soon. */
async function afterNak(session: Session, refused: (seen: Seen) => boolean): Promise<string> {
  const { found, before } = await until(
    session,
    'DISCOVER after the NAK',
    ({ type }, earlier) => type === DISCOVER && earlier.some(refused),
  );
  const soon = found.at - (before.at(-1)?.at ?? 0) < 2 * SECOND_MS;
  return `DISCOVER ${soon ? 'within two seconds' : 'later'}`;
}

/** The first lease but for the last three: 20 s, T1 3 s, T2 6 s; nothing that comes after it is answered. */
const FORSAKEN = 'lease-20.t1-3.t2-6.renewal-silent';
const FORSAKEN_MS = 20_000;
/** No word of scripted-spoils.ts: it answers nothing. */
const SILENT = 'nothing';
/** Longer than any client waits before it asks; one that says nothing until then does not. */
const SOON_MS = 8000;
/** Ten seconds are how long a cable may be out before it may lead somewhere else. */
const LONG_OUT_MS = 11_000;

export const CLIENT_SCENARIOS: readonly ClientScenario[] = [
  {
    title: 'DISCOVER goes',
    behaviour: 'good',
    observe: async (session) => {
      const seen = await first(session);
      return `${way(seen)}, ${seen.broadcast ? 'with' : 'without'} the broadcast bit`;
    },
  },
  {
    title: 'its options',
    behaviour: 'good',
    observe: async (session) => Object.keys((await first(session)).options).join(' '),
  },
  {
    title: 'asks for (55)',
    behaviour: 'good',
    observe: async (session) => listOf((await first(session)).options[CODE.list]),
    reason:
      'what a pod is configured with, routes first ([dhcp-options.md](dhcp-options.md)); 28, 42 and 51 it has no use for or gets anyway',
  },
  {
    title: 'largest message (57)',
    behaviour: 'good',
    observe: async (session) => {
      const size = (await first(session)).options[CODE.size];
      return size === undefined ? 'none' : String(Number.parseInt(size, 16));
    },
    reason:
      'the MTU of the link: it counts the IP datagram with its headers (RFC 2131 2), which 1472 leaves out once more',
  },
  {
    title: 'identifier (61)',
    behaviour: 'good',
    observe: async (session) => {
      const id = (await first(session)).options[CODE.id];
      return id === undefined ? 'none' : (KINDS[id.slice(0, 2)] ?? `type ${id.slice(0, 2)}`);
    },
    reason:
      'it is that of the Go plugins, so that a node can change over ([identity.md](identity.md#clientid))',
  },
  {
    title: 'no answer: the next DISCOVER',
    behaviour: SILENT,
    observe: async (session) => {
      const { found, before } = await until(
        session,
        'the second DISCOVER',
        ({ type }, earlier) => type === DISCOVER && earlier.length > 0,
      );
      const soon = found.at - (before[0]?.at ?? 0) < 2 * SECOND_MS;
      return `${soon ? 'within two seconds' : 'later'}, ${found.xid === before[0]?.xid ? 'the same' : 'another'} xid`;
    },
    reason: 'a container waits for it: the first one is often lost while a bridge learns',
  },
  {
    title: 'an OFFER without 54',
    behaviour: 'no-server-id',
    observe: async (session) => {
      const { found } = await until(session, 'what it says next', (_seen, before) => before.length > 0);
      return found.type === REQUEST ? 'is taken' : 'is passed over';
    },
  },
  {
    title: 'NAK to the REQUEST for an OFFER',
    behaviour: 'nak',
    observe: async (session) => await afterNak(session, ({ type }) => type === REQUEST),
  },
  {
    title: 'renewal',
    behaviour: FORSAKEN,
    observe: async (session) => {
      const { found } = await until(session, 'the renewal', isRenewing);
      return `${way(found)}, ${naming(found)}`;
    },
  },
  {
    title: 'rebinding, before the lease ends',
    behaviour: FORSAKEN,
    observe: async (session) => {
      const { found } = await until(
        session,
        'rebinding or DISCOVER',
        (seen, before) => isRebinding(seen) || (seen.type === DISCOVER && before.some(isRenewing)),
      );
      return found.type === DISCOVER ? 'none' : `${way(found)}, ${naming(found)}`;
    },
  },
  {
    title: 'T1 and T2 of the server (58, 59)',
    behaviour: FORSAKEN,
    observe: async (session) => {
      const { found, before } = await until(session, 'the renewal', isRenewing);
      const taken = found.at - (before.at(-1)?.at ?? 0) < FORSAKEN_MS / 2 - SECOND_MS;
      return taken ? 'are kept to' : 'are not: half of the lease';
    },
  },
  {
    title: 'the lease ends unanswered: DISCOVER',
    behaviour: FORSAKEN,
    observe: async (session) => {
      const { found, before } = await until(
        session,
        'DISCOVER at the end',
        ({ type }, earlier) => type === DISCOVER && earlier.some(isRenewing),
      );
      const leased = before.find(({ type }) => type === REQUEST)?.at ?? 0;
      return found.at - leased < FORSAKEN_MS - SECOND_MS ? 'before the end' : 'at the end';
    },
  },
  {
    title: 'NAK to a renewal',
    behaviour: 'lease-20.t1-3.renewal-nak',
    observe: async (session) => await afterNak(session, isRenewing),
  },
  {
    title: 'NAK in REBINDING',
    behaviour: 'lease-20.t1-3.t2-6.rebinding-nak',
    observe: async (session) => await afterNak(session, isRebinding),
  },
  {
    title: 'a renewal that says another address',
    behaviour: 'lease-20.t1-3.renewal-lower-100',
    observe: async (session) => {
      const address = await addressOf(session);
      return await waitFor(
        'what becomes of it',
        async () => {
          const all = await session.seen();
          const renewed = all.findIndex(isRenewing);
          if (renewed < 0) return undefined;
          const now = await session.address();
          if (now !== undefined && now !== address) return 'is taken';
          const next = all[renewed + 1];
          return (next?.ciaddr === address || next?.type === DISCOVER) && 'is not taken';
        },
        PATIENCE,
      );
    },
  },
  {
    title: 'an ACK for another address than was offered',
    behaviour: 'ack-lower-100',
    observe: async (session) => await whetherTaken(session),
  },
  {
    title: 'an ACK without 54',
    behaviour: 'ack-no-server-id',
    observe: async (session) => await whetherTaken(session),
  },
  {
    title: 'DECLINE of an address that is in use',
    behaviour: 'address-77',
    probes: true,
    observe: async (session) => {
      const { found } = await until(session, 'DECLINE', ({ type }) => type === DECLINE);
      return `${way(found)}, ${naming(found)}`;
    },
  },
  {
    title: 'and then DISCOVER',
    behaviour: 'address-77',
    probes: true,
    observe: async (session) => {
      const { found, before } = await until(
        session,
        'DISCOVER after the DECLINE',
        ({ type }, earlier) => type === DISCOVER && earlier.some((one) => one.type === DECLINE),
      );
      const wait = found.at - (before.findLast(({ type }) => type === DECLINE)?.at ?? 0);
      return wait < DECLINE_WAIT_MS ? 'sooner than 10 s' : '10 s later or more';
    },
  },
  {
    title: 'FORCERENEW without authentication',
    behaviour: 'lease-600',
    observe: async (session, lan) => await forced(session, lan),
  },
  {
    title: 'FORCERENEW with the nonce that it was given (RFC 6704)',
    behaviour: 'lease-600.nonce',
    observe: async (session, lan) => await forced(session, lan, NONCE),
  },
  {
    title: 'RELEASE',
    behaviour: 'lease-600',
    observe: async (session) => {
      const { found } = await until(session, 'RELEASE', ({ type }) => type === RELEASE);
      return `${way(found)}, ${naming(found)}`;
    },
  },
  {
    title: 'killed and started again, with a lease',
    behaviour: 'lease-700',
    apart: true,
    observe: async (session) => {
      await addressOf(session);
      const { length } = await session.seen();
      await session.restart();
      return await saidAfter(session, length);
    },
    reason: 'leases are on disk, and the address was in use all the time: there is nothing to ask',
  },
  {
    title: 'its cable is out for a second',
    behaviour: 'lease-800',
    apart: true,
    observe: async (session, lan) => await unplugged(session, lan, SECOND_MS),
  },
  {
    title: 'its cable is out for eleven seconds',
    behaviour: 'lease-900',
    apart: true,
    observe: async (session, lan) => await unplugged(session, lan, LONG_OUT_MS),
  },
];

/** What a client says after its cable was out for so long. */
async function unplugged(session: Session, { site }: ClientLan, ms: number): Promise<string> {
  await addressOf(session);
  const { length } = await session.seen();
  await site.lan.router.ip('link', 'set', session.port, 'down');
  await pause(ms);
  await site.lan.router.ip('link', 'set', session.port, 'up');
  return await saidAfter(session, length);
}

/** What a client says after so many messages, if it does so soon. */
async function saidAfter(session: Session, length: number): Promise<string> {
  const end = performance.now() + SOON_MS;
  while (performance.now() < end) {
    const next = (await session.seen())[length];
    if (next?.type === DISCOVER) return `DISCOVER${has(next, CODE.wish) ? ' with 50' : ''}`;
    if (next !== undefined) return `REQUEST ${way(next)}, ${naming(next)}`;
    await pause(PATIENCE.everyMs);
  }
  return 'nothing';
}
