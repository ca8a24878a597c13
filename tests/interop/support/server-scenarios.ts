import { ipv4, IPV4_ANY, IPV4_BROADCAST, type Ipv4 } from '../../../src/base/ipv4.ts';
import type { JsonObject } from '../../../src/base/json.ts';
import { mac, type Mac } from '../../../src/base/mac.ts';
import type { NetworkList } from '../../../src/lab/cni-conf.ts';
import { waitFor } from '../../../src/lab/wait.ts';
import { addSquatter } from '../../faults/support/squatter.ts';
import { dropUnicastRequests } from '../../faults/support/wire-faults.ts';
import { addressIn, macvlan, networkOf, type Attached } from '../../plugins/support/site.ts';
import { CLASSLESS_ROUTE } from './real-servers.ts';
import { bytesOf, repliesTo, requestsOf, shortType, typeOf, valueOf, type DhcpFrame } from './seen.ts';
import type { ServerLan } from './server-lan.ts';

/** For leases of seconds on a machine that does other things too. */
const PATIENCE = { deadlineMs: 40_000, everyMs: 50 };
const MOST_TRIES = 8;
/** Of the third byte of a MAC address, in digits that are the same as hex. */
const FIRST_OTHER = 10;
/** In the pool, at its end, where no server begins. */
const WISH = ipv4('192.168.2.245');
const FREE = ipv4('192.168.2.247');
const ELSEWHERE = ipv4('10.20.30.40');

/** What it did, in the words of the page; `client`: a MAC address that nobody else has. */
export type ServerScenario = {
  readonly id: string;
  readonly title: string;
  /** A function: what it gives takes seconds to come, and nobody else's address hangs on it. */
  readonly observe: (lan: ServerLan, client: Mac) => Promise<string | (() => Promise<string>)>;
};

/** The identifier, too, is the same in each run: some servers choose an address by it. */
function network(client: Mac, ipam: JsonObject): NetworkList {
  const plugin = macvlan({ mac: client }, { clientId: 'mac', ...ipam });
  return networkOf([plugin], { cniVersion: '1.1.0' });
}

/** A pod that was answered, and its MAC address. */
type Answered = { readonly attached: Attached; readonly client: Mac };

/**
 * ADD by the daemon. A server that takes longer than a quarter of a second is asked again with less, and so are the next
 * pods (docs/dhcp-exchange.md): then it is another pod's turn, with a daemon that knows nothing of that.
 */
async function add(lan: ServerLan, first: Mac, ipam: JsonObject = {}): Promise<Answered> {
  const { site, wire } = lan;
  let client = first;
  for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
    const attached = await site.add(network(client, ipam));
    await lan.client.settled();
    const asked = requestsOf(await wire.frames(), client).filter((frame) => typeOf(frame) === 'DHCPDISCOVER');
    if (asked.length === 1) return { attached, client };
    await site.del(attached);
    await site.daemon.restart();
    client = mac(first.replace(/^02:5e:00/, `02:5e:${FIRST_OTHER + tries}`));
  }
  throw new Error(`no DISCOVER was answered within a quarter of a second, ${MOST_TRIES} times`);
}

async function heard({ wire }: ServerLan, client: Mac): Promise<readonly DhcpFrame[]> {
  return repliesTo(await wire.frames(), client);
}

/** The types of what it answered until the pod had its lease: "OFFER, ACK". */
function types(replies: readonly DhcpFrame[]): string {
  return [...new Set(replies.map(shortType))].join(', ');
}

function answer(frame: DhcpFrame | undefined): string {
  return frame === undefined ? 'silence' : shortType(frame);
}

/** A REQUEST of a certain kind by the daemon, and the answer that came to it. */
async function extended(
  lan: ServerLan,
  { attached, client }: Answered,
  isOne: (frame: DhcpFrame) => boolean,
): Promise<string> {
  const address = addressIn(attached.result);
  const reply = await waitFor(
    'the server to answer the extension',
    async () => {
      const frames = await lan.wire.frames();
      const asked = requestsOf(frames, client).filter(
        (frame) => typeOf(frame) === 'DHCPREQUEST' && frame.message.ciaddr === address && isOne(frame),
      );
      const xids = new Set(asked.map(({ message }) => message.xid));
      return repliesTo(frames, client).find(({ message }) => xids.has(message.xid));
    },
    PATIENCE,
  );
  return `${shortType(reply)}, ${reply.to === address ? 'by unicast' : 'to all'}`;
}

/** The option in the answers to a pod that asked for it. */
async function optionIn(
  lan: ServerLan,
  client: Mac,
  ipam: JsonObject,
  read: (reply: DhcpFrame) => string | undefined,
): Promise<string> {
  const pod = await add(lan, client, ipam);
  const [found] = (await heard(lan, pod.client)).flatMap((reply) => read(reply) ?? []);
  return found ?? 'no';
}

const FQDN_FLAGS = [
  [0x01, 'S'],
  [0x02, 'O'],
  [0x04, 'E'],
  [0x08, 'N'],
] as const;

/** RFC 4702 2.1. */
function fqdnFlags(bits: number): string {
  return FQDN_FLAGS.flatMap(([bit, name]) => ((bits & bit) === 0 ? [] : [name])).join('');
}

/** An address that the client has, asked for without a word of who gave it (RFC 2131 4.3.2). */
async function initReboot(lan: ServerLan, client: Mac, address: Ipv4, id?: Uint8Array): Promise<string> {
  const reply = await lan.client.request({ client, id, options: { 'dhcp-requested-address': address } });
  const other = reply !== undefined && typeOf(reply) === 'DHCPACK' && reply.message.yiaddr !== address;
  return `${answer(reply)}${other ? ' with another address' : ''}`;
}

/** The identifier that the daemon sent for it. */
async function idOf({ wire }: ServerLan, client: Mac): Promise<Uint8Array | undefined> {
  const [first] = requestsOf(await wire.frames(), client);
  return first === undefined ? undefined : bytesOf(first, 'dhcp-client-identifier');
}

/** Another MAC address that nobody else has either. */
function beside(client: Mac): Mac {
  return mac(client.replace(/^02:5e:00/, '02:5e:01'));
}

export const SERVER_SCENARIOS: readonly ServerScenario[] = [
  {
    id: 'init',
    title: 'DISCOVER, REQUEST (four messages)',
    observe: async (lan, client) => {
      const pod = await add(lan, client, { rapidCommit: false });
      return types(await heard(lan, pod.client));
    },
  },
  {
    id: 'rapid-commit',
    title: 'rapid commit (80)',
    observe: async (lan, client) => {
      const pod = await add(lan, client);
      const [first] = await heard(lan, pod.client);
      const marked = first !== undefined && bytesOf(first, 'rapid-commit') !== undefined;
      return `${answer(first)}${marked ? ' with 80' : ''}`;
    },
  },
  {
    id: 'wish',
    title: 'a free address wished for in DISCOVER (50)',
    observe: async (lan, client) => {
      const { message } = await lan.client.discover({ client, options: { 'dhcp-requested-address': WISH } });
      return message.yiaddr === WISH ? 'offered' : 'another is offered';
    },
  },
  {
    id: 'init-reboot-known',
    title: 'INIT-REBOOT: its own lease',
    observe: async (lan, client) => {
      const pod = await add(lan, client);
      return await initReboot(lan, pod.client, addressIn(pod.attached.result), await idOf(lan, pod.client));
    },
  },
  {
    id: 'init-reboot-unknown',
    title: 'INIT-REBOOT: a client that it does not know, a free address',
    observe: async (lan, client) => await initReboot(lan, client, FREE),
  },
  {
    id: 'init-reboot-taken',
    title: 'INIT-REBOOT: the address of another client',
    observe: async (lan, client) => {
      const { attached } = await add(lan, client);
      return await initReboot(lan, beside(client), addressIn(attached.result));
    },
  },
  {
    id: 'init-reboot-elsewhere',
    title: 'INIT-REBOOT: an address of another network',
    observe: async (lan, client) => await initReboot(lan, client, ELSEWHERE),
  },
  {
    id: 'rebinding-elsewhere',
    title: 'REBINDING: an address of another network',
    observe: async (lan, client) => answer(await lan.client.request({ client, ciaddr: ELSEWHERE })),
  },
  {
    id: 'same-mac-other-id',
    title: 'the same MAC, another identifier (61)',
    observe: async (lan, client) => {
      const first = await lan.client.lease({ client, id: Uint8Array.of(0, 1) });
      const second = await lan.client.lease({ client, id: Uint8Array.of(0, 2) });
      return first === second ? 'the same address' : 'another address';
    },
  },
  {
    id: 'same-id-other-mac',
    title: 'the same identifier (61), another MAC',
    observe: async (lan, client) => {
      const id = Uint8Array.of(0, 3);
      const first = await lan.client.lease({ client, id });
      const second = await lan.client.lease({ client: beside(client), id });
      return first === second ? 'the same address' : 'another address';
    },
  },
  {
    id: 'echo',
    title: 'repeats the identifier (RFC 6842)',
    observe: async (lan, client) =>
      await optionIn(lan, client, {}, (reply) =>
        bytesOf(reply, 'dhcp-client-identifier') === undefined ? undefined : 'yes',
      ),
  },
  {
    id: 'fqdn',
    title: 'answers the FQDN (81)',
    observe: async (lan, client) =>
      await optionIn(lan, client, { fqdn: 'web.home.arpa' }, (reply) => {
        const bytes = bytesOf(reply, 'fqdn');
        return bytes === undefined ? undefined : `yes, flags ${fqdnFlags(bytes[0] ?? 0)}`;
      }),
  },
  {
    id: 'v6only',
    title: 'gives IPv6-only (108) to who asks',
    observe: async (lan, client) =>
      await optionIn(lan, client, { ipv6Only: true }, (reply) =>
        valueOf(reply, 'v6-only-preferred') === undefined ? undefined : 'yes',
      ),
  },
  {
    id: 'classless',
    title: 'gives classless routes (121)',
    observe: async (lan, client) => {
      const { attached } = await add(lan, client);
      return JSON.stringify(attached.result['routes']).includes(CLASSLESS_ROUTE) ? 'yes' : 'no';
    },
  },
  {
    id: 'renewal',
    title: 'renewal, by unicast at T1',
    observe: async (lan, client) => {
      const pod = await add(lan, client);
      return async () => await extended(lan, pod, ({ to }) => to !== IPV4_BROADCAST);
    },
  },
  {
    id: 'rebinding',
    title: 'rebinding, to all at T2, when unicast gets lost',
    observe: async (lan, client) => {
      const { router, node } = lan.site.lan;
      await dropUnicastRequests(router, node.port, client);
      const pod = await add(lan, client);
      return async () => await extended(lan, pod, ({ to }) => to === IPV4_BROADCAST);
    },
  },
  {
    id: 'release',
    title: 'RELEASE: the lease is in its list afterwards',
    observe: async (lan, client) => {
      const { attached, ...pod } = await add(lan, client);
      const address = addressIn(attached.result);
      if (!(await lan.server.holds(address))) throw new Error(`${address} is not in the server's list`);
      await lan.site.del(attached);
      await waitFor(
        'the RELEASE',
        async () =>
          requestsOf(await lan.wire.frames(), pod.client).some((frame) => typeOf(frame) === 'DHCPRELEASE'),
        PATIENCE,
      );
      await lan.client.settled();
      return (await lan.server.holds(address)) ? 'yes' : 'no';
    },
  },
  {
    id: 'forcerenew',
    title: 'FORCERENEW, when it is told to',
    observe: async (lan, client) => {
      const { forceRenew } = lan.server;
      if (forceRenew === undefined) return 'no command for it';
      const pod = await add(lan, client);
      await forceRenew();
      const sent = await waitFor(
        'the FORCERENEW',
        async () => (await heard(lan, pod.client)).find((frame) => typeOf(frame) === 'DHCPFORCERENEW'),
        PATIENCE,
      );
      await lan.client.settled();
      const renewed = requestsOf(await lan.wire.frames(), pod.client).some(
        ({ message }) => message.ciaddr !== IPV4_ANY,
      );
      const how = bytesOf(sent, 'authenticate') === undefined ? 'not authenticated' : 'authenticated';
      return `sends it, ${how}; our pod ${renewed ? 'renews' : 'passes it over'}`;
    },
  },
  // The last one: its address is somebody else's from then on.
  {
    id: 'decline',
    title: 'DECLINE: the address is offered to the client again',
    observe: async (lan, client) => {
      const { attached, ...pod } = await add(lan, client);
      const address = addressIn(attached.result);
      await lan.site.del(attached);
      await addSquatter(lan.site.lan, address);
      // It goes on beside what is looked at; whether it finds another address in time is no matter of this row.
      const again = network(pod.client, { conflictCheck: 'before' });
      void lan.site.add(again).catch(() => undefined);
      const declined = await waitFor(
        'the DECLINE',
        async () =>
          requestsOf(await lan.wire.frames(), pod.client).find((frame) => typeOf(frame) === 'DHCPDECLINE'),
        PATIENCE,
      );
      const id = bytesOf(declined, 'dhcp-client-identifier');
      const options = { 'dhcp-requested-address': address };
      const { message } = await lan.client.discover({ client: pod.client, id, options });
      return message.yiaddr === address ? 'yes' : 'no';
    },
  },
];
