import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '../../src/base/bytes.ts';
import { cidr } from '../../src/base/cidr.ts';
import { IPV4_BROADCAST, ipv4 } from '../../src/base/ipv4.ts';
import type { NetNs } from '../../src/kernel/netns.ts';
import { openUdp, type UdpSocket } from '../../src/kernel/udp-socket.ts';
import { asRoot, makePair, openFds, Sandbox, until, type Pair } from './support/sandbox.ts';

const SERVER = { localPort: 67, broadcast: true };
const CLIENT = { localPort: 68, broadcast: true };
/** More than are sent at once. */
const SENDS = 100;
const TOO_LONG = ['SysError', 'send to 255.255.255.255:67', 'EMSGSIZE'];

/** What a socket has received, as "text from address:port". */
function record(socket: UdpSocket): string[] {
  const seen: string[] = [];
  const decoder = new TextDecoder();
  socket.onMessage((bytes, from, port) => seen.push(`${decoder.decode(bytes)} from ${from}:${port}`));
  return seen;
}

/** A client without an address on the left, 10.9.0.1 on the right. */
async function makeClient(sandbox: Sandbox): Promise<{ client: NetNs; pair: Pair }> {
  const pair = await makePair(sandbox);
  await pair.rightRtnl.addresses.add({ index: pair.rightLink.index, cidr: cidr('10.9.0.1/24') });
  return { client: pair.left, pair };
}

test(
  'a broadcast from an interface without any address arrives, and so does the answer',
  asRoot,
  async () => {
    await using sandbox = new Sandbox('udp');
    const { client, pair } = await makeClient(sandbox);
    using server = openUdp(pair.right, { ifname: 'v1', ...SERVER });
    using socket = openUdp(client, { ifname: 'v0', ...CLIENT });
    const [heard, answered] = [record(server), record(socket)];
    assert.equal(socket.send(utf8('DISCOVER'), IPV4_BROADCAST, 67), undefined);
    await until('the server hears it', () => heard.length > 0);
    assert.deepEqual(heard, ['DISCOVER from 0.0.0.0:68']);
    assert.equal(server.send(utf8('OFFER'), IPV4_BROADCAST, 68), undefined);
    await until('the client hears it', () => answered.length > 0);
    assert.deepEqual(answered, ['OFFER from 10.9.0.1:67']);
  },
);

test('unicast comes from the leased address', asRoot, async () => {
  await using sandbox = new Sandbox('udp');
  const { client, pair } = await makeClient(sandbox);
  using server = openUdp(pair.right, { ifname: 'v1', ...SERVER });
  await pair.leftRtnl.addresses.add({ index: pair.leftLink.index, cidr: cidr('10.9.0.2/24') });
  using socket = openUdp(client, { ifname: 'v0', localAddress: ipv4('10.9.0.2'), ...CLIENT });
  const heard = record(server);
  assert.equal(socket.send(utf8('REQUEST'), ipv4('10.9.0.1'), 67), undefined);
  await until('the server hears it', () => heard.length > 0);
  assert.deepEqual(heard, ['REQUEST from 10.9.0.2:68']);
});

test('pending bytes stay while ARP asks in vain and go when it is answered', asRoot, async () => {
  await using sandbox = new Sandbox('udp');
  const { client, pair } = await makeClient(sandbox);
  using server = openUdp(pair.right, { ifname: 'v1', ...SERVER });
  await pair.leftRtnl.addresses.add({ index: pair.leftLink.index, cidr: cidr('10.9.0.2/24') });
  using socket = openUdp(client, { ifname: 'v0', ...CLIENT });
  assert.equal(socket.pendingBytes(), 0);
  socket.send(utf8('RELEASE'), ipv4('10.9.0.77'), 67);
  assert.ok(socket.pendingBytes() > 0, 'nobody is 10.9.0.77 yet');
  const heard = record(server);
  await pair.rightRtnl.addresses.add({ index: pair.rightLink.index, cidr: cidr('10.9.0.77/24') });
  await until('it has left', () => socket.pendingBytes() === 0);
  await until('the server hears it', () => heard.length > 0);
  assert.deepEqual(heard, ['RELEASE from 10.9.0.2:68']);
});

test('what is too long is dropped, what follows is not', asRoot, async () => {
  await using sandbox = new Sandbox('udp');
  const { client, pair } = await makeClient(sandbox);
  using server = openUdp(pair.right, { ifname: 'v1', ...SERVER });
  using socket = openUdp(client, { ifname: 'v0', ...CLIENT });
  const heard = record(server);
  // More than one wake-up reads, too.
  for (let i = 0; i < 40; i++) socket.send(utf8(`${i}`), IPV4_BROADCAST, 67);
  assert.equal(socket.send(new Uint8Array(70_000), IPV4_BROADCAST, 67)?.code, 'EMSGSIZE');
  socket.send(utf8('last'), IPV4_BROADCAST, 67);
  await until('the last is heard', () => heard.at(-1) === 'last from 0.0.0.0:68');
  assert.equal(heard.length, 41);
});

test('two sockets may share port 68', asRoot, async () => {
  await using sandbox = new Sandbox('udp');
  const { client, pair } = await makeClient(sandbox);
  using server = openUdp(pair.right, { ifname: 'v1', ...SERVER });
  using one = openUdp(client, { ifname: 'v0', ...CLIENT });
  using two = openUdp(client, { ifname: 'v0', ...CLIENT });
  const heard = [record(one), record(two)];
  server.send(utf8('OFFER'), IPV4_BROADCAST, 68);
  await until('both hear it', () => heard.every((messages) => messages.length === 1));
});

test('errors are named', asRoot, async () => {
  await using sandbox = new Sandbox('udp');
  const { client, pair } = await makeClient(sandbox);
  // A namespace that never had any address lets a socket bind to all of them.
  await pair.leftRtnl.addresses.add({ index: pair.leftLink.index, cidr: cidr('192.0.2.1/32') });
  assert.throws(() => openUdp(client, { ifname: 'nowhere', ...CLIENT }), {
    code: 'ENODEV',
    op: 'open UDP 68 on nowhere',
  });
  const foreign = { ifname: 'v0', localAddress: ipv4('10.9.0.2'), ...CLIENT };
  assert.throws(() => openUdp(client, foreign), { code: 'EADDRNOTAVAIL' });
  using quiet = openUdp(client, { ifname: 'v0', localPort: 68, broadcast: false });
  assert.equal(quiet.send(utf8('x'), IPV4_BROADCAST, 67)?.code, 'EACCES');
});

test('a handler may close the socket; nothing is delivered afterwards', asRoot, async () => {
  await using sandbox = new Sandbox('udp');
  const { client, pair } = await makeClient(sandbox);
  using server = openUdp(pair.right, { ifname: 'v1', ...SERVER });
  using socket = openUdp(client, { ifname: 'v0', ...CLIENT });
  let count = 0;
  server.onMessage(() => {
    count++;
    server.close();
  });
  for (let i = 0; i < 3; i++) socket.send(utf8('x'), IPV4_BROADCAST, 67);
  await until('one is delivered', () => count > 0);
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
  assert.equal(count, 1);
});

test('sent from a thread it arrives all the same', asRoot, async () => {
  await using sandbox = new Sandbox('udp');
  const { client, pair } = await makeClient(sandbox);
  using server = openUdp(pair.right, { ifname: 'v1', ...SERVER });
  using socket = openUdp(client, { ifname: 'v0', ...CLIENT });
  const heard = record(server);
  const texts = Array.from({ length: SENDS }, (_, i) => `${i}`);
  const outcomes = await Promise.all(texts.map((text) => socket.sendOffLoop(utf8(text), IPV4_BROADCAST, 67)));
  assert.deepEqual(new Set(outcomes), new Set([undefined]));
  await until('all are heard', () => heard.length === SENDS);
  // Side by side, so in any order.
  assert.deepEqual(new Set(heard), new Set(texts.map((text) => `${text} from 0.0.0.0:68`)));
});

test('what a thread cannot send is a value, and the socket goes on', asRoot, async () => {
  await using sandbox = new Sandbox('udp');
  const { client, pair } = await makeClient(sandbox);
  using server = openUdp(pair.right, { ifname: 'v1', ...SERVER });
  using socket = openUdp(client, { ifname: 'v0', ...CLIENT });
  const heard = record(server);
  const tooLong = await socket.sendOffLoop(new Uint8Array(70_000), IPV4_BROADCAST, 67);
  assert.deepEqual([tooLong?.name, tooLong?.op, tooLong?.code], TOO_LONG);
  await pair.leftRtnl.links.set({ index: pair.leftLink.index, up: false });
  const [onLoop, offLoop] = [
    socket.send(utf8('x'), IPV4_BROADCAST, 67),
    await socket.sendOffLoop(utf8('x'), IPV4_BROADCAST, 67),
  ];
  assert.ok(offLoop !== undefined);
  assert.deepEqual(offLoop, onLoop);
  await pair.leftRtnl.links.set({ index: pair.leftLink.index, up: true });
  assert.equal(await socket.sendOffLoop(utf8('again'), IPV4_BROADCAST, 67), undefined);
  await until('the server hears it', () => heard.includes('again from 0.0.0.0:68'));
  await pair.leftRtnl.links.delete(pair.leftLink.index);
  assert.ok((await socket.sendOffLoop(utf8('x'), IPV4_BROADCAST, 67)) !== undefined, 'the interface is gone');
});

test(
  'closing lets sends that are under way end, and gives the descriptor back after them',
  asRoot,
  async () => {
    await using sandbox = new Sandbox('udp');
    const { client, pair } = await makeClient(sandbox);
    using server = openUdp(pair.right, { ifname: 'v1', ...SERVER });
    const heard = record(server);
    const before = openFds();
    const socket = openUdp(client, { ifname: 'v0', ...CLIENT });
    // More than the lane lets through at once: some have not begun when the socket is closed.
    const sends = Array.from({ length: SENDS }, () => socket.sendOffLoop(utf8('x'), IPV4_BROADCAST, 67));
    socket.close();
    socket.close();
    assert.equal(openFds(), before + 1, 'the descriptor is kept');
    assert.throws(() => socket.send(utf8('late'), IPV4_BROADCAST, 67), { name: 'InvariantError' });
    await assert.rejects(socket.sendOffLoop(utf8('late'), IPV4_BROADCAST, 67), { name: 'InvariantError' });
    assert.deepEqual(new Set(await Promise.all(sends)), new Set([undefined]));
    assert.equal(openFds(), before, 'and given back');
    await until('all are heard', () => heard.length === SENDS);
  },
);
