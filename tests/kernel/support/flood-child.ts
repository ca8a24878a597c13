import { readFileSync } from 'node:fs';
import { errnoName } from '../../../src/kernel/errno.ts';
import { errno, getsockname, sendto } from '../../../src/kernel/ffi.ts';
import { netlinkAddress } from '../../../src/kernel/netlink-fd.ts';
import { intBytes, MSG_DONTWAIT, openSocket, SOCK_RAW } from '../../../src/kernel/socket-options.ts';

// Whoever may administer the network of a container may do this in it: messages to every netlink socket there, by
// the port ids that the kernel shows, until one takes something or very many tries were refused.
const AF_NETLINK = 16;
const PROTOCOLS = [0, 12] as const;
const PORT_ID_WORD = 1;
const PER_LOOK = 64;
const MANY = 20_000;
/** A message of its own size without a payload, of a type that no kernel has, number 0. */
const NOISE = new Uint8Array(Uint32Array.of(16, 0xfff0, 0, 0).buffer);

const sockets = PROTOCOLS.map(
  (protocol) => [protocol, openSocket('flood', AF_NETLINK, SOCK_RAW, protocol)] as const,
);
const own = new Set<number>();
let refused = 0;
let said = false;

/** Rows of /proc/net/netlink: socket, protocol, port id, and so on. */
function ports(): readonly (readonly [protocol: number, portId: number])[] {
  return readFileSync('/proc/thread-self/net/netlink', 'utf8')
    .split('\n')
    .slice(1)
    .map((row) => row.trim().split(/\s+/))
    .map(([, protocol, portId]) => [Number(protocol), Number(portId)] as const)
    .filter(([, portId]) => portId !== 0 && !own.has(portId));
}

function say(what: string): void {
  if (!said) process.stdout.write(`${what}\n`);
  said = true;
}

function flood(protocol: number, fd: number, portId: number): void {
  const to = netlinkAddress(0);
  new Uint32Array(to.buffer)[PORT_ID_WORD] = portId;
  for (let i = 0; i < PER_LOOK; i++) {
    const result = sendto(fd, NOISE, NOISE.length, MSG_DONTWAIT, to, to.length);
    if (result > 0) return say('something was sent');
    if (errnoName(errno()) !== 'ECONNREFUSED') return say(`failed: ${errnoName(errno())} (${protocol})`);
    refused++;
  }
  if (refused > MANY) say('all were refused');
}

/** A socket that does nothing against it: that it takes the noise shows that the others could get it too. */
function tryDefenceless(protocol: number, fd: number): void {
  const defenceless = openSocket('flood', AF_NETLINK, SOCK_RAW, protocol);
  const address = netlinkAddress(0);
  sendto(defenceless, NOISE, NOISE.length, MSG_DONTWAIT, address, address.length);
  getsockname(defenceless, address, intBytes(address.length));
  own.add(new Uint32Array(address.buffer)[PORT_ID_WORD] ?? 0);
  const result = sendto(fd, NOISE, NOISE.length, MSG_DONTWAIT, address, address.length);
  if (result < 0) say(`failed: ${errnoName(errno())} where nothing forbids it (${protocol})`);
}

function round(): void {
  for (const [protocol, portId] of ports()) {
    const fd = sockets.find(([of]) => of === protocol)?.[1];
    if (fd !== undefined) flood(protocol, fd, portId);
  }
  setImmediate(round);
}

// The first message that a socket sends, here to the kernel, gives it its port id.
for (const [, fd] of sockets) sendto(fd, NOISE, NOISE.length, MSG_DONTWAIT, netlinkAddress(0), 12);
for (const [, portId] of ports()) if (portId === process.pid || portId > 0x7fff_ffff) own.add(portId);
for (const [protocol, fd] of sockets) tryDefenceless(protocol, fd);
process.stdin.on('end', () => process.exit()).resume();
round();
