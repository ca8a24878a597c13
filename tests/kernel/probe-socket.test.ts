import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { concat } from '../../src/base/bytes.ts';
import { ipv4 } from '../../src/base/ipv4.ts';
import { mac } from '../../src/base/mac.ts';
import { isSysError } from '../../src/base/sys-error.ts';
import { probePorts } from '../../src/kernel/probe-ports.ts';
import { openProbeSocket } from '../../src/kernel/probe-socket.ts';
import { openTimers } from '../../src/kernel/timers.ts';
import { probe } from '../../src/protocol/acd4/packets.ts';
import { emitArpFrame } from '../../src/wire/arp.ts';
import { emitUdp4Frame } from '../../src/wire/ip/udp4.ts';
import { asRoot, makePair, openFds, Sandbox, until } from './support/sandbox.ts';

const ADDRESS = ipv4('192.0.2.7');
const HOST = mac('02:00:5e:10:00:77');
const CHILD = mac('02:00:5e:10:00:78');
const BROADCAST = mac('ff:ff:ff:ff:ff:ff');
const NO_MEMBERS = { addresses: [], promiscuous: false };

const OFFER = emitUdp4Frame({
  srcMac: HOST,
  dstMac: CHILD,
  src: ipv4('192.0.2.1'),
  dst: ADDRESS,
  srcPort: 67,
  dstPort: 68,
  payload: new Uint8Array(300),
});
const QUESTION = emitArpFrame(HOST, BROADCAST, probe(ADDRESS, HOST));

function tagged(frame: Uint8Array, tag: number): Uint8Array {
  return concat([frame.subarray(0, 12), Uint8Array.of(0x81, 0, tag >> 8, tag & 255), frame.subarray(12)]);
}

/** What the kernel writes to must stay where it is. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

test(
  'whole frames with the tag that was taken off, of everybody and of a MAC that is nobody here',
  asRoot,
  async () => {
    await using sandbox = new Sandbox('probe');
    const { left, right, leftLink, rightLink } = await makePair(sandbox);
    await using sender = left.run(() => openProbeSocket(leftLink.index, NO_MEMBERS));
    const members = { addresses: [CHILD, mac('01:80:c2:00:00:00')], promiscuous: false };
    await using hearer = right.run(() => openProbeSocket(rightLink.index, members));
    const heard: (readonly [string, number | undefined])[] = [];
    hearer.onFrame(({ bytes, vlan, at }) => {
      assert.ok(at > 0);
      heard.push([bytes.toHex(), vlan]);
    });
    collectGarbage();
    for (const frame of [
      QUESTION,
      tagged(QUESTION, 20),
      tagged(QUESTION, 0xe000),
      OFFER,
      tagged(QUESTION, 0x2414),
    ]) {
      assert.equal(sender.send(frame), undefined);
    }
    await until('all are heard', () => heard.length >= 5);
    assert.deepEqual(heard, [
      [QUESTION.toHex(), undefined],
      [QUESTION.toHex(), 20],
      [QUESTION.toHex(), undefined],
      [OFFER.toHex(), undefined],
      [QUESTION.toHex(), 0x414],
    ]);
  },
);

test('the device hears more for the life of the socket only, and no descriptor stays', asRoot, async () => {
  await using sandbox = new Sandbox('probe');
  const { left, leftLink } = await makePair(sandbox);
  const promiscuity = (): unknown => sandbox.ip('left', 'link', 'show', 'v0')[0]?.['promiscuity'];
  const fds = openFds();
  for (const members of [
    { addresses: [CHILD], promiscuous: false },
    { addresses: [], promiscuous: true },
  ]) {
    const socket = left.run(() => openProbeSocket(leftLink.index, members));
    assert.equal(promiscuity(), 1, 'a veth has no filter for single addresses: the kernel opens it wholly');
    await Promise.all([socket.close(), socket.close()]);
    assert.equal(promiscuity(), 0);
  }
  assert.equal(openFds(), fds);
});

test('what is wrong is named', asRoot, async () => {
  await using sandbox = new Sandbox('probe');
  const { left, leftRtnl, leftLink } = await makePair(sandbox);
  const fds = openFds();
  assert.throws(
    () => left.run(() => openProbeSocket(4711, { addresses: [CHILD], promiscuous: false })),
    (error) => isSysError(error, 'ENODEV'),
  );
  assert.equal(openFds(), fds);
  await using socket = left.run(() => openProbeSocket(leftLink.index, NO_MEMBERS));
  assert.equal(socket.send(new Uint8Array(9000))?.code, 'EMSGSIZE');
  assert.equal(socket.send(QUESTION.subarray(0, 13))?.code, 'EINVAL');
  await leftRtnl.links.set({ index: leftLink.index, up: false });
  assert.equal(socket.send(QUESTION)?.code, 'ENETDOWN');
});

test('an interface as the doctor looks at it', asRoot, async () => {
  await using sandbox = new Sandbox('probe');
  const { leftRtnl, leftLink } = await makePair(sandbox);
  using timers = openTimers();
  const ports = probePorts(leftRtnl, timers);
  await leftRtnl.addresses.add({ index: leftLink.index, cidr: { address: ADDRESS, prefix: 24 } });
  const { index, name, mac: own } = leftLink;
  assert.deepEqual(await ports.link(name), {
    index,
    name,
    mac: own,
    up: true,
    lowerUp: true,
    addresses: [{ address: ADDRESS, prefix: 24 }],
  });
  assert.equal((await ports.link('lo'))?.mac, undefined);
  assert.equal(await ports.link('v7'), undefined);
  assert.ok(own !== undefined && (await ports.ownMacs()).has(own));
  assert.equal(ports.readLine('/proc/sys/kernel/ostype'), 'Linux');
  assert.equal(ports.readLine('/proc/nothing'), undefined);
  assert.equal(ports.readLine('/proc'), undefined);
  assert.ok(ports.exists('/proc') && !ports.exists('/proc/nothing'));
});
