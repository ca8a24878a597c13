import { createSocket } from 'node:dgram';
import { toHex, utf8 } from '../../../src/base/bytes.ts';
import {
  IPV4_ANY,
  ipv4,
  ipv4FromNumber,
  ipv4ToBytes,
  ipv4ToNumber,
  type Ipv4,
} from '../../../src/base/ipv4.ts';
import { mac } from '../../../src/base/mac.ts';
import { DHCP_MESSAGE_TYPE } from '../../../src/wire/dhcp4/message-type.ts';
import { emitDhcp4, parseDhcp4, type Dhcp4Message } from '../../../src/wire/dhcp4/message.ts';

/**
 * A DHCP server that does what the client's host name (option 12) says: `wrong-xid` answers with another transaction
 * id, and so on; without a name, or with `good`, it serves. It prints every message that it gets as one line of JSON.
 * Usage: scripted-server.ts OWN-ADDRESS
 */

const [OWN = ''] = process.argv.slice(2);
const server = ipv4(OWN);
const SERVER_PORT = 67;
const CLIENT_PORT = 68;
const FIRST_ADDRESS = ipv4ToNumber(ipv4('192.168.2.200'));
const { DHCPDISCOVER, DHCPOFFER, DHCPREQUEST, DHCPACK, DHCPNAK } = DHCP_MESSAGE_TYPE;

const OPTION = {
  mask: 1,
  router: 3,
  hostName: 12,
  requested: 50,
  leaseTime: 51,
  type: 53,
  server: 54,
  list: 55,
  message: 56,
  clientId: 61,
} as const;

/** How a reply is spoiled; undefined: no reply at all. `raw` changes the bytes. */
type Spoil = {
  readonly offer?: (reply: Dhcp4Message) => Dhcp4Message | undefined;
  readonly ack?: (reply: Dhcp4Message) => Dhcp4Message | undefined;
  readonly raw?: (bytes: Uint8Array) => Uint8Array;
};

function withOption(reply: Dhcp4Message, code: number, bytes: Uint8Array | undefined): Dhcp4Message {
  const options = new Map(reply.options);
  if (bytes === undefined) options.delete(code);
  else options.set(code, bytes);
  return { ...reply, options };
}

/** The same in OFFER and ACK. */
function both(spoil: (reply: Dhcp4Message) => Dhcp4Message): Spoil {
  return { offer: spoil, ack: spoil };
}

const refuse = (reply: Dhcp4Message): Dhcp4Message => ({
  ...reply,
  yiaddr: IPV4_ANY,
  options: new Map([
    [OPTION.type, Uint8Array.of(DHCPNAK)],
    [OPTION.server, ipv4ToBytes(server)],
    [OPTION.message, utf8('not on this wire')],
  ]),
});

const SPOILS: Readonly<Record<string, Spoil>> = {
  good: {},
  // T1 after two seconds.
  'short-lease': both((reply) => withOption(reply, OPTION.leaseTime, Uint8Array.of(0, 0, 0, 4))),
  'wrong-xid': both((reply) => ({ ...reply, xid: (reply.xid ^ 1) >>> 0 })),
  'wrong-mac': both((reply) => ({ ...reply, chaddr: mac('02:5e:00:53:ff:ff') })),
  'not-a-reply': both((reply) => ({ ...reply, op: 'request' })),
  'no-server-id': both((reply) => withOption(reply, OPTION.server, undefined)),
  'malformed-server-id': both((reply) => withOption(reply, OPTION.server, Uint8Array.of(192, 168, 2))),
  'no-type': both((reply) => withOption(reply, OPTION.type, undefined)),
  'malformed-lease-time': both((reply) => withOption(reply, OPTION.leaseTime, Uint8Array.of(0, 1, 2))),
  'zero-lease-time': both((reply) => withOption(reply, OPTION.leaseTime, new Uint8Array(4))),
  'bad-mask': both((reply) => withOption(reply, OPTION.mask, Uint8Array.of(255, 0, 255, 0))),
  'no-address': both((reply) => ({ ...reply, yiaddr: IPV4_ANY })),
  'multicast-address': both((reply) => ({ ...reply, yiaddr: ipv4('239.1.2.3') })),
  'other-client-id': both((reply) => withOption(reply, OPTION.clientId, Uint8Array.of(0, 120))),
  nak: { ack: refuse },
  'ack-silent': { ack: () => undefined },
  'ack-other-server': {
    ack: (reply) => withOption(reply, OPTION.server, ipv4ToBytes(ipv4('192.168.2.77'))),
  },
  // One byte of an option, the length of which runs past the end.
  overrun: { raw: (bytes) => Uint8Array.of(...bytes.subarray(0, 240), 53, 200, DHCPOFFER) },
  'no-cookie': { raw: (bytes) => bytes.with(236, 0) },
  short: { raw: (bytes) => bytes.subarray(0, 200) },
};

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

function answer(message: Dhcp4Message): Uint8Array | undefined {
  const name = Buffer.from(message.options.get(OPTION.hostName) ?? utf8('good')).toString('latin1');
  const spoil = SPOILS[name];
  const type = message.options.get(OPTION.type)?.[0];
  if (spoil === undefined || (type !== DHCPDISCOVER && type !== DHCPREQUEST)) return undefined;
  const change = type === DHCPDISCOVER ? spoil.offer : spoil.ack;
  const plain = replyTo(message, type === DHCPDISCOVER ? DHCPOFFER : DHCPACK);
  const reply = change === undefined ? plain : change(plain);
  if (reply === undefined) return undefined;
  const bytes = emitDhcp4(reply);
  return spoil.raw === undefined ? bytes : spoil.raw(bytes);
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
    const line = { type, via, from: from.address, chaddr, xid, secs, broadcast, ciaddr, options };
    process.stdout.write(`${JSON.stringify(line)}\n`);
    const reply = answer(message);
    const to = via === 'unicast' ? from.address : '255.255.255.255';
    if (reply !== undefined) socket.send(reply, CLIENT_PORT, to);
  });
  socket.bind(SERVER_PORT, address, () => {
    socket.setBroadcast(true);
    resolve();
  });
  return promise;
}

await listen(OWN, 'unicast');
await listen(undefined, 'broadcast');
process.stdout.write('{"ready":true}\n');
