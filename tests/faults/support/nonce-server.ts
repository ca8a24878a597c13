import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { toHex } from '../../../src/base/bytes.ts';
import { IPV4_ANY, ipv4, ipv4FromNumber, type Ipv4, ipv4ToNumber } from '../../../src/base/ipv4.ts';
import { mac, type Mac } from '../../../src/base/mac.ts';
import { DHCP_MESSAGE_TYPE } from '../../../src/wire/dhcp4/message-type.ts';
import { emitDhcp4, parseDhcp4, type Dhcp4Message } from '../../../src/wire/dhcp4/message.ts';
import { makeOptions, type OptionValues, readOption } from '../../../src/wire/dhcp4/options.ts';
import { forceRenew, nonceOption } from '../../protocol/dhcp4/signed.ts';
import type { Answer, Command, ForceCommand } from './nonce-server-talk.ts';

/**
 * A DHCP server of RFC 6704: it gives a nonce with a lease to who says that it takes one, and sends FORCERENEW when it is
 * told to, well or badly made. It hears its commands at a UNIX socket, a line of JSON each.
 * Usage: nonce-server.ts OWN-ADDRESS OTHER-ADDRESS SOCKET
 */

const [OWN = '', OTHER = '', SOCKET = ''] = process.argv.slice(2);
const server = ipv4(OWN);
const SERVER_PORT = 67;
const CLIENT_PORT = 68;
const BROADCAST = '255.255.255.255';
const FIRST_ADDRESS = ipv4ToNumber(ipv4('192.168.2.200'));
const NONCE_BYTES = 16;
const { DHCPDISCOVER, DHCPOFFER, DHCPREQUEST, DHCPACK, DHCPNAK } = DHCP_MESSAGE_TYPE;

type Client = {
  address: Ipv4;
  nonce: Uint8Array | undefined;
  /** The next ACK has another one. */
  renews: boolean;
  counter: number;
  requests: number;
};

const clients = new Map<Mac, Client>();
let addressesGiven = 0;
let router = server;
let refuseNext = false;

function newAddress(): Ipv4 {
  addressesGiven += 1;
  return ipv4FromNumber(FIRST_ADDRESS + addressesGiven);
}

function clientOf(chaddr: Mac): Client {
  const known = clients.get(chaddr);
  if (known !== undefined) return known;
  const client = { address: newAddress(), nonce: undefined, renews: false, counter: 0, requests: 0 };
  clients.set(chaddr, client);
  return client;
}

/** RFC 6704 3.1.3: a nonce for a client that has none and takes one, in an ACK only; not again in each renewal. */
function nonceFor(client: Client, message: Dhcp4Message): OptionValues {
  if (!message.options.has(145) || (client.nonce !== undefined && !client.renews)) return {};
  client.renews = false;
  client.nonce = randomBytes(NONCE_BYTES);
  client.counter += 1;
  return { authenticate: nonceOption(client.nonce, client.counter) };
}

function answer(message: Dhcp4Message): Dhcp4Message | undefined {
  const type = readOption(message.options, 'dhcp-message-type');
  if (type.kind !== 'value' || (type.value !== DHCPDISCOVER && type.value !== DHCPREQUEST)) return undefined;
  const client = clientOf(message.chaddr);
  const isRequest = type.value === DHCPREQUEST;
  if (isRequest) client.requests += 1;
  const refused = isRequest && refuseNext;
  if (refused) {
    refuseNext = false;
    Object.assign(client, { address: newAddress(), nonce: undefined });
  }
  const granted: OptionValues = {
    'dhcp-lease-time': 3600,
    'subnet-mask': ipv4('255.255.255.0'),
    routers: [router],
    ...(!isRequest && message.options.has(145) ? { 'forcerenew-nonce-capable': [1] } : {}),
    ...(isRequest && !refused ? nonceFor(client, message) : {}),
  };
  return {
    ...message,
    op: 'reply',
    secs: 0,
    yiaddr: refused ? IPV4_ANY : client.address,
    options: makeOptions({
      'dhcp-message-type': refused ? DHCPNAK : isRequest ? DHCPACK : DHCPOFFER,
      'dhcp-server-identifier': server,
      ...(refused ? {} : granted),
    }),
  };
}

const elsewhere = createSocket({ type: 'udp4', reuseAddr: true });

function listen(address: string | undefined): Promise<Socket> {
  const { promise, resolve } = Promise.withResolvers<Socket>();
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  socket.on('message', (bytes, from) => {
    const message = parseDhcp4(bytes);
    const reply = message.ok ? answer(message.value) : undefined;
    if (reply === undefined) return;
    const isUnicast = address !== undefined && reply.yiaddr !== IPV4_ANY;
    socket.send(emitDhcp4(reply), CLIENT_PORT, isUnicast ? from.address : BROADCAST);
  });
  socket.bind(SERVER_PORT, address, () => {
    socket.setBroadcast(true);
    resolve(socket);
  });
  return promise;
}

/** What the last FORCERENEW to a client was, for one who repeats it. */
const sent = new Map<Mac, Uint8Array>();

function forced(client: Client, chaddr: Mac, how: ForceCommand['how']): Uint8Array {
  const before = sent.get(chaddr);
  if (how === 'again' && before !== undefined) return before;
  client.counter += 1;
  const key = how === 'wrong-key' ? randomBytes(NONCE_BYTES) : client.nonce;
  const bytes = forceRenew({
    chaddr: how === 'other-mac' ? mac('02:00:5e:66:66:66') : chaddr,
    server: how === 'other-server' ? ipv4(OTHER) : server,
    key: how === 'unauthenticated' ? undefined : key,
    replay: client.counter,
  });
  if (how === 'good') sent.set(chaddr, bytes);
  // In the middle of option 90: what is left of it runs past the end.
  return how === 'truncated' ? bytes.subarray(0, 260) : bytes;
}

function obey(command: Command, socket: Socket): Answer {
  if (command.do === 'router') router = ipv4(command.address);
  else if (command.do === 'refuse-next') refuseNext = true;
  else {
    const chaddr = mac(command.chaddr);
    const client = clientOf(chaddr);
    if (command.do === 'new-nonce') client.renews = true;
    if (command.do === 'force') {
      const bytes = forced(client, chaddr, command.how);
      const from = command.how === 'other-server' ? elsewhere : socket;
      const to = command.how === 'broadcast' ? BROADCAST : client.address;
      from.send(bytes, CLIENT_PORT, to);
    }
    const { nonce, requests } = client;
    return { requests, nonce: nonce === undefined ? '' : toHex(nonce) };
  }
  return { requests: 0, nonce: '' };
}

const bound = Promise.withResolvers<void>();
elsewhere.bind(SERVER_PORT, OTHER, () => {
  elsewhere.setBroadcast(true);
  bound.resolve();
});
await bound.promise;
const own = await listen(OWN);
await listen(undefined);
createServer((connection) => {
  createInterface(connection).on('line', (line) => {
    connection.write(`${JSON.stringify(obey(JSON.parse(line) as Command, own))}\n`);
  });
}).listen(SOCKET, () => process.stdout.write('{"ready":true}\n'));
