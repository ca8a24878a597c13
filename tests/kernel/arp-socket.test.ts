import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IPV4_ANY, ipv4 } from '../../src/base/ipv4.ts';
import { type Mac, mac } from '../../src/base/mac.ts';
import { type ArpSocket, openArp } from '../../src/kernel/arp-socket.ts';
import { HostFrameSender } from '../../src/kernel/frame-sender.ts';
import { announcement, probe } from '../../src/protocol/acd4/packets.ts';
import { type ArpPacket, emitArpFrame } from '../../src/wire/arp.ts';
import { addPod, asRoot, makePair, openFds, Sandbox, until } from './support/sandbox.ts';

const TAKEN = ipv4('192.0.2.7');
const OTHER = ipv4('192.0.2.8');
const STRANGER = mac('02:00:5e:10:00:77');
const BROADCAST = mac('ff:ff:ff:ff:ff:ff');

function record(socket: ArpSocket): ArpPacket[] {
  const heard: ArpPacket[] = [];
  socket.onPacket((packet) => heard.push(packet));
  return heard;
}

function macOf(link: { readonly mac?: Mac | undefined }): Mac {
  assert.ok(link.mac !== undefined);
  return link.mac;
}

test('a probe is answered by who has the address', asRoot, async () => {
  await using sandbox = new Sandbox('arp');
  const { right, leftLink, rightLink } = await makePair(sandbox);
  sandbox.ip('left', 'addr', 'add', `${TAKEN}/24`, 'dev', 'v0');
  await using socket = openArp(right, rightLink.index);
  const heard = record(socket);
  const own = macOf(rightLink);
  assert.equal(socket.send(probe(TAKEN, own)), undefined);
  await until('the answer is heard', () => heard.length > 0);
  assert.deepEqual(heard, [
    { op: 'reply', senderMac: leftLink.mac, senderIp: TAKEN, targetMac: own, targetIp: IPV4_ANY },
  ]);
});

test('siblings on one macvlan parent hear each other', asRoot, async () => {
  await using sandbox = new Sandbox('arp');
  const pair = await makePair(sandbox);
  const one = await addPod(sandbox, pair, 'one');
  const two = await addPod(sandbox, pair, 'two');
  await using first = openArp(one.netns, one.link.index);
  await using second = openArp(two.netns, two.link.index);
  const heardByFirst = record(first);
  const heardBySecond = record(second);
  // Two that probe at the same time.
  first.send(probe(TAKEN, macOf(one.link)));
  await until('the second hears the first', () => heardBySecond.length > 0);
  second.send(probe(TAKEN, macOf(two.link)));
  await until('the first hears the second', () => heardByFirst.length > 0);
  assert.deepEqual(heardByFirst, [probe(TAKEN, macOf(two.link))]);
  // One that has it.
  sandbox.ip('two', 'addr', 'add', `${TAKEN}/24`, 'dev', 'eth0');
  first.send(probe(TAKEN, macOf(one.link)));
  await until('the answer is heard', () => heardByFirst.some(({ op }) => op === 'reply'));
  assert.equal(heardByFirst.at(-1)?.senderMac, two.link.mac);
});

test('hears what matters, and once it has sent, what is about that address', asRoot, async () => {
  await using sandbox = new Sandbox('arp');
  const { left, right, leftLink, rightLink } = await makePair(sandbox);
  await using sender = left.run(() => new HostFrameSender());
  await using socket = openArp(right, rightLink.index);
  const heard = record(socket);
  const say = (packet: ArpPacket): void => {
    assert.equal(sender.send(leftLink.index, emitArpFrame(STRANGER, BROADCAST, packet)), undefined);
  };
  const question: ArpPacket = { ...announcement(TAKEN, STRANGER), targetIp: OTHER };
  say(question);
  say(announcement(OTHER, STRANGER));
  await until('the announcement is heard', () => heard.length > 0);
  assert.deepEqual(heard.splice(0), [announcement(OTHER, STRANGER)]);

  socket.send(probe(TAKEN, macOf(rightLink)));
  say(announcement(OTHER, STRANGER));
  say(probe(OTHER, STRANGER));
  say(question);
  say(probe(TAKEN, STRANGER));
  await until('both are heard', () => heard.length > 1);
  assert.deepEqual(heard, [question, probe(TAKEN, STRANGER)]);
});

test('what is wrong is named, and no descriptor stays', asRoot, async () => {
  await using sandbox = new Sandbox('arp');
  const { right, rightRtnl, rightLink } = await makePair(sandbox);
  const { index } = rightLink;
  const own = macOf(rightLink);
  const before = openFds();
  assert.throws(() => openArp(right, 4711), { name: 'SysError', code: 'ENODEV', op: 'open ARP on #4711' });
  assert.equal(openFds(), before);

  await using socket = openArp(right, index);
  socket.onPacket(() => undefined);
  await rightRtnl.links.set({ index, up: false });
  assert.equal(socket.send(probe(TAKEN, own))?.code, 'ENETDOWN');
  await rightRtnl.links.set({ index, up: true });
  // The socket has an error from then, until the loop comes round and reads it.
  await until('it goes on', () => socket.send(probe(TAKEN, own)) === undefined);
  await rightRtnl.links.delete(index);
  assert.equal(socket.send(probe(TAKEN, own))?.code, 'ENXIO');
  await Promise.all([socket.close(), socket.close()]);
  assert.equal(openFds(), before);
});

test('nothing is heard once it is closing', asRoot, async () => {
  await using sandbox = new Sandbox('arp');
  const { right, rightLink } = await makePair(sandbox);
  sandbox.ip('left', 'addr', 'add', `${TAKEN}/24`, 'dev', 'v0');
  const socket = openArp(right, rightLink.index);
  const heard = record(socket);
  socket.send(probe(TAKEN, macOf(rightLink)));
  await socket.close();
  assert.deepEqual(heard, []);
});
