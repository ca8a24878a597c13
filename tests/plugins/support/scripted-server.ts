import { createSocket, type Socket } from 'node:dgram';
import { toHex, utf8 } from '../../../src/base/bytes.ts';
import {
  IPV4_ANY,
  ipv4,
  ipv4FromNumber,
  ipv4ToBytes,
  ipv4ToNumber,
  type Ipv4,
} from '../../../src/base/ipv4.ts';
import { DHCP_MESSAGE_TYPE } from '../../../src/wire/dhcp4/message-type.ts';
import { emitDhcp4, parseDhcp4, type Dhcp4Message } from '../../../src/wire/dhcp4/message.ts';
import { OPTION, spoilsOf } from './scripted-spoils.ts';

/**
 * A DHCP server that does what the client's host name (option 12) says: `wrong-xid` answers with another transaction
 * id, `lease-10.twice` gives ten seconds and answers twice (see scripted-spoils.ts); without a name it
 * does what USUAL says, and with `good` it serves. It prints every message that it gets as one line of JSON.
 * Usage: scripted-server.ts OWN-ADDRESS OTHER-ADDRESS [USUAL]
 */

const [OWN = '', OTHER = '', USUAL = 'good'] = process.argv.slice(2);
const server = ipv4(OWN);
const SERVER_PORT = 67;
const CLIENT_PORT = 68;
const BROADCAST = '255.255.255.255';
const FIRST_ADDRESS = ipv4ToNumber(ipv4('192.168.2.200'));
const { DHCPDISCOVER, DHCPOFFER, DHCPREQUEST, DHCPACK, DHCPNAK } = DHCP_MESSAGE_TYPE;

const addresses = new Map<string, Ipv4>();

function addressFor(chaddr: string): Ipv4 {
  const known = addresses.get(chaddr) ?? ipv4FromNumber(FIRST_ADDRESS + addresses.size);
  addresses.set(chaddr, known);
  return known;
}

function replyTo(message: Dhcp4Message, type: number): Dhcp4Message {
  return {
    ...message,
    op: 'reply',
    secs: 0,
    yiaddr: addressFor(message.chaddr),
    options: new Map([
      [OPTION.type, Uint8Array.of(type)],
      [OPTION.server, ipv4ToBytes(server)],
      [OPTION.leaseTime, Uint8Array.of(0, 0, 14, 16)],
      [OPTION.mask, Uint8Array.of(255, 255, 255, 0)],
      [OPTION.router, ipv4ToBytes(server)],
    ]),
  };
}

function hex(message: Dhcp4Message, code: number): string | undefined {
  const bytes = message.options.get(code);
  return bytes === undefined ? undefined : toHex(bytes);
}

/** What goes out for one message, and how. */
type Answer = {
  readonly bytes: Uint8Array;
  readonly delayMs: number;
  readonly copies: number;
  readonly broadcast: boolean;
  readonly otherSource: boolean;
  readonly reversed: boolean;
};

function answer(message: Dhcp4Message, via: 'unicast' | 'broadcast'): Answer | undefined {
  const name = Buffer.from(message.options.get(OPTION.hostName) ?? utf8(USUAL)).toString('latin1');
  const spoils = spoilsOf(name);
  const type = message.options.get(OPTION.type)?.[0];
  if (spoils === undefined || (type !== DHCPDISCOVER && type !== DHCPREQUEST)) return undefined;
  if (spoils.some(({ trips }) => trips?.(message) === true)) return undefined;
  const isDiscover = type === DHCPDISCOVER;
  let reply: Dhcp4Message | undefined = replyTo(message, isDiscover ? DHCPOFFER : DHCPACK);
  for (const { offer, ack, renewal, rebinding = renewal } of spoils) {
    const extension = via === 'broadcast' ? rebinding : renewal;
    const later = message.ciaddr === IPV4_ANY ? ack : extension;
    const change = isDiscover ? offer : later;
    if (reply !== undefined && change !== undefined) reply = change(reply, message);
  }
  if (reply === undefined) return undefined;
  const bytes = spoils.reduce((so, { raw }) => raw?.(so) ?? so, emitDhcp4(reply));
  return {
    bytes,
    delayMs: Math.max(0, ...spoils.map((one) => (isDiscover ? one.offerDelayMs : one.ackDelayMs) ?? 0)),
    copies: Math.max(1, ...spoils.map(({ copies = 1 }) => copies)),
    // RFC 2131 4.1: a NAK is broadcast, whatever the REQUEST was.
    broadcast: reply.options.get(OPTION.type)?.[0] === DHCPNAK,
    otherSource: spoils.some(({ otherSource = false }) => otherSource),
    reversed: spoils.some(({ reversed = false }) => reversed),
  };
}

/** Sends from its other address, and never reads. */
const elsewhere = createSocket({ type: 'udp4', reuseAddr: true });
/** By client: answers that go out behind the next one. */
const held = new Map<string, () => void>();

function send(from: Socket, reply: Answer, to: string, chaddr: string): void {
  const socket = reply.otherSource ? elsewhere : from;
  const goOut = (): void => {
    for (let copy = 0; copy < reply.copies; copy += 1) socket.send(reply.bytes, CLIENT_PORT, to);
  };
  const before = held.get(chaddr);
  held.delete(chaddr);
  if (reply.reversed && before === undefined) {
    held.set(chaddr, goOut);
    return;
  }
  setTimeout(goOut, reply.delayMs);
  if (before !== undefined) setTimeout(before, reply.delayMs);
}

/** What is sent to the server's own address reaches the socket that is bound to it, broadcasts the other one. */
function listen(address: string | undefined, via: 'unicast' | 'broadcast'): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  socket.on('message', (bytes, from) => {
    const parsed = parseDhcp4(bytes);
    if (!parsed.ok) {
      process.stdout.write(`${JSON.stringify({ malformed: parsed.error })}\n`);
      return;
    }
    const message = parsed.value;
    const options = Object.fromEntries([...message.options].map(([code, value]) => [code, toHex(value)]));
    const { chaddr, xid, secs, broadcast, ciaddr } = message;
    const type = hex(message, OPTION.type);
    const at = performance.now();
    const line = { type, at, via, from: from.address, chaddr, xid, secs, broadcast, ciaddr, options };
    process.stdout.write(`${JSON.stringify(line)}\n`);
    const reply = answer(message, via);
    if (reply === undefined) return;
    const to = via === 'unicast' && !reply.broadcast ? from.address : BROADCAST;
    send(socket, reply, to, chaddr);
  });
  socket.bind(SERVER_PORT, address, () => {
    socket.setBroadcast(true);
    resolve();
  });
  return promise;
}

const bound = Promise.withResolvers<void>();
elsewhere.bind(SERVER_PORT, OTHER, () => {
  elsewhere.setBroadcast(true);
  bound.resolve();
});
await bound.promise;
await listen(OWN, 'unicast');
await listen(undefined, 'broadcast');
process.stdout.write('{"ready":true}\n');
