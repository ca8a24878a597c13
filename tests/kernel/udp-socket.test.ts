import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '../../src/base/bytes.ts';
import { cidr } from '../../src/base/cidr.ts';
import { IPV4_BROADCAST, ipv4 } from '../../src/base/ipv4.ts';
import type { NetNs } from '../../src/kernel/netns.ts';
import { openUdp, type UdpSocket } from '../../src/kernel/udp-socket.ts';
import { asRoot, makePair, Sandbox, until, type Pair } from './support/sandbox.ts';

const SERVER = { localPort: 67, broadcast: true };
const CLIENT = { localPort: 68, broadcast: true };

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
