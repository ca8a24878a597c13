import { waitFor } from '../../../src/lab/wait.ts';
import { NONCE } from '../../plugins/support/scripted-spoils.ts';
import { DISCOVER, RELEASE, REQUEST } from '../../plugins/support/scripted.ts';
import type { ClientLan } from './client-lan.ts';
import {
  CODE,
  KINDS,
  PATIENCE,
  SECOND_MS,
  addressOf,
  afterNak,
  first,
  forced,
  isRebinding,
  isRenewing,
  listOf,
  naming,
  saidAfter,
  unplugged,
  until,
  way,
  whetherTaken,
} from './client-looks.ts';
import type { ClientRun } from './real-clients.ts';

const DECLINE = '04';
/** Of the ten seconds of RFC 2131 3.1 (5), as the server's clock has them. */
const DECLINE_WAIT_MS = 9500;

export type ClientScenario = {
  readonly title: string;
  /** What the server does: see scripted-spoils.ts. Those of one behaviour look at the same run of a client. */
  readonly behaviour: string;
  /** It looks for others that have its address; by default only Leasehold, and beside its use of the address. */
  readonly probes?: boolean;
  /** In a home of its own: what it does to one pod it does to all of the node. */
  readonly apart?: boolean;
  readonly observe: (client: ClientRun, lan: ClientLan) => Promise<string>;
  /** Why Leasehold is unlike both of the others. */
  readonly reason?: string;
};

/** 20 s (dhcpcd takes none for less), T1 after 3 s, T2 after 6 s; no extension is answered. */
const FORSAKEN = 'lease-20.t1-3.t2-6.renewal-silent';
const FORSAKEN_MS = 20_000;
/** Lower by so much an address of the scripted server's is nobody's: neither the node's nor the taken one. */
const RENEWED_ELSEWHERE = 'lease-20.t1-3.renewal-lower-190';
const LEASED_ELSEWHERE = 'ack-lower-190';
/** No word of scripted-spoils.ts: it answers nothing. */
const SILENT = 'nothing';
/** Ten seconds are how long a cable may be out before it may lead somewhere else. */
const LONG_OUT_MS = 11_000;

export const CLIENT_SCENARIOS: readonly ClientScenario[] = [
  {
    title: 'DISCOVER goes',
    behaviour: 'good',
    observe: async (client) => {
      const seen = await first(client);
      return `${way(seen)}, ${seen.broadcast ? 'with' : 'without'} the broadcast bit`;
    },
  },
  {
    title: 'its options',
    behaviour: 'good',
    observe: async (client) => Object.keys((await first(client)).options).join(' '),
  },
  {
    title: 'asks for (55)',
    behaviour: 'good',
    observe: async (client) => listOf((await first(client)).options[CODE.list]),
    reason:
      'what a pod is configured with, routes first ([dhcp-options.md](dhcp-options.md)); 28, 42 and 51 it has no use for or gets anyway',
  },
  {
    title: 'largest message (57)',
    behaviour: 'good',
    observe: async (client) => {
      const size = (await first(client)).options[CODE.size];
      return size === undefined ? 'none' : String(Number.parseInt(size, 16));
    },
    reason: 'the MTU of the link, for it counts the headers of IP and UDP (RFC 3442)',
  },
  {
    title: 'identifier (61)',
    behaviour: 'good',
    observe: async (client) => {
      const id = (await first(client)).options[CODE.id];
      return id === undefined ? 'none' : (KINDS[id.slice(0, 2)] ?? `type ${id.slice(0, 2)}`);
    },
    reason:
      'it is that of the Go plugins, so that a node can change over ([identity.md](identity.md#clientid))',
  },
  {
    title: 'no answer: the next DISCOVER',
    behaviour: SILENT,
    observe: async (client) => {
      const { found, before } = await until(
        client,
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
    observe: async (client) => {
      const { found } = await until(client, 'what it says next', (_seen, before) => before.length > 0);
      return found.type === REQUEST ? 'is taken' : 'is passed over';
    },
  },
  {
    title: 'NAK to the REQUEST for an OFFER',
    behaviour: 'nak',
    observe: async (client) => await afterNak(client, ({ type }) => type === REQUEST),
  },
  {
    title: 'renewal',
    behaviour: FORSAKEN,
    observe: async (client) => {
      const { found } = await until(client, 'the renewal', isRenewing);
      return `${way(found)}, ${naming(found)}`;
    },
  },
  {
    title: 'rebinding, before the lease ends',
    behaviour: FORSAKEN,
    observe: async (client) => {
      const { found } = await until(
        client,
        'rebinding or DISCOVER',
        (seen, before) => isRebinding(seen) || (seen.type === DISCOVER && before.some(isRenewing)),
      );
      return found.type === DISCOVER ? 'none' : `${way(found)}, ${naming(found)}`;
    },
  },
  {
    title: 'T1 and T2 of the server (58, 59)',
    behaviour: FORSAKEN,
    observe: async (client) => {
      const { found, before } = await until(client, 'the renewal', isRenewing);
      const taken = found.at - (before.at(-1)?.at ?? 0) < FORSAKEN_MS / 2 - SECOND_MS;
      return taken ? 'are kept to' : 'are not: half of the lease';
    },
  },
  {
    title: 'the lease ends unanswered: DISCOVER',
    behaviour: FORSAKEN,
    observe: async (client) => {
      const { found, before } = await until(
        client,
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
    observe: async (client) => await afterNak(client, isRenewing),
  },
  {
    title: 'NAK in REBINDING',
    behaviour: 'lease-20.t1-3.t2-6.rebinding-nak',
    observe: async (client) => await afterNak(client, isRebinding),
  },
  {
    title: 'a renewal that says another address',
    behaviour: RENEWED_ELSEWHERE,
    observe: async (client) => {
      const address = await addressOf(client);
      return await waitFor(
        'what becomes of it',
        async () => {
          const all = await client.seen();
          const renewed = all.findIndex(isRenewing);
          if (renewed < 0) return undefined;
          const now = await client.address();
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
    behaviour: LEASED_ELSEWHERE,
    observe: async (client) => await whetherTaken(client),
  },
  {
    title: 'an ACK without 54',
    behaviour: 'ack-no-server-id',
    observe: async (client) => await whetherTaken(client),
  },
  {
    title: 'DECLINE of an address that is in use',
    behaviour: 'address-77',
    probes: true,
    observe: async (client) => {
      const { found } = await until(client, 'DECLINE', ({ type }) => type === DECLINE);
      return `${way(found)}, ${naming(found)}`;
    },
  },
  {
    title: 'and then DISCOVER',
    behaviour: 'address-77',
    probes: true,
    observe: async (client) => {
      const { found, before } = await until(
        client,
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
    observe: async (client, lan) => await forced(client, lan),
  },
  {
    title: 'FORCERENEW with the nonce that it was given (RFC 6704)',
    behaviour: 'lease-600.nonce',
    observe: async (client, lan) => await forced(client, lan, NONCE),
  },
  {
    title: 'RELEASE',
    behaviour: 'lease-600',
    observe: async (client) => {
      const { found } = await until(client, 'RELEASE', ({ type }) => type === RELEASE);
      return `${way(found)}, ${naming(found)}`;
    },
  },
  {
    title: 'killed and started again, with a lease',
    behaviour: 'lease-700',
    apart: true,
    observe: async (client) => {
      await addressOf(client);
      const { length } = await client.seen();
      await client.restart();
      return await saidAfter(client, length);
    },
    reason: 'leases are on disk, and the address was in use all the time: there is nothing to ask',
  },
  {
    title: 'its cable is out for a second',
    behaviour: 'lease-800',
    apart: true,
    observe: async (client, lan) => await unplugged(client, lan, SECOND_MS),
  },
  {
    title: 'its cable is out for eleven seconds',
    behaviour: 'lease-900',
    apart: true,
    observe: async (client, lan) => await unplugged(client, lan, LONG_OUT_MS),
  },
];
