import assert from 'node:assert/strict';
import { test } from 'node:test';
import { concat } from '../../src/base/bytes.ts';
import { ipv4 } from '../../src/base/ipv4.ts';
import { mac } from '../../src/base/mac.ts';
import { HostFrameSender, sendOnce } from '../../src/kernel/frame-sender.ts';
import { openTap } from '../../src/kernel/packet-tap.ts';
import { announcement, gratuitousReply, probe } from '../../src/protocol/acd4/packets.ts';
import { emitArpFrame } from '../../src/wire/arp.ts';
import { dhcpClientFilter } from '../../src/wire/bpf.ts';
import { emitUdp4Frame, parseUdp4Frame } from '../../src/wire/ip/udp4.ts';
import { asRoot, makePair, openFds, Sandbox, until } from './support/sandbox.ts';

const A = ipv4('192.0.2.7');
const B = ipv4('192.0.2.8');
const HOST = mac('02:00:5e:10:00:77');
const BROADCAST = mac('ff:ff:ff:ff:ff:ff');

const TO_CLIENT = emitUdp4Frame({
  srcMac: HOST,
  dstMac: BROADCAST,
  src: A,
  dst: B,
  srcPort: 67,
  dstPort: 68,
  payload: new Uint8Array(300),
});

/** An in-band 802.1Q tag, which the receiving kernel takes off. */
function tagged(frame: Uint8Array, vlan: number): Uint8Array {
  return concat([frame.subarray(0, 12), Uint8Array.of(0x81, 0, 0, vlan), frame.subarray(12)]);
}

test(
  'a frame arrives as it was, and the kernel’s filter lets through what the tap is for',
  asRoot,
  async () => {
    await using sandbox = new Sandbox('frames');
    const { left, right, leftLink, rightLink } = await makePair(sandbox);
    await using sender = left.run(() => new HostFrameSender());
    await using tap = right.run(() => openTap(rightLink.index, dhcpClientFilter()));
    const seen: string[] = [];
    tap.onFrame((frame) => seen.push(frame.toHex()));
    const announced = emitArpFrame(HOST, BROADCAST, announcement(A, HOST));
    const question = emitArpFrame(HOST, BROADCAST, { ...announcement(A, HOST), targetIp: B });
    const probed = emitArpFrame(HOST, BROADCAST, probe(B, HOST));
    const reply = emitArpFrame(HOST, BROADCAST, { ...announcement(A, HOST), op: 'reply', targetIp: B });
    const frames = [
      question,
      tagged(announced, 20),
      tagged(TO_CLIENT, 20),
      announced,
      question,
      probed,
      reply,
      tagged(probed, 0),
      TO_CLIENT,
    ];
    for (const frame of frames) assert.equal(sender.send(leftLink.index, frame), undefined);
    await until('the last frame is seen', () => seen.includes(TO_CLIENT.toHex()));
    assert.deepEqual(
      seen,
      [announced, probed, reply, probed, TO_CLIENT].map((frame) => frame.toHex()),
    );
  },
);

test('the kernel takes its datagrams from a frame that was made here', asRoot, async () => {
  await using sandbox = new Sandbox('frames');
  const { left, right, leftLink, rightLink } = await makePair(sandbox);
  await using sender = left.run(() => new HostFrameSender());
  await using tap = right.run(() => openTap(rightLink.index, dhcpClientFilter()));
  const read: ReturnType<typeof parseUdp4Frame>[] = [];
  tap.onFrame((frame) => read.push(parseUdp4Frame(frame.slice(), { checksumReady: true })));
  sender.send(leftLink.index, TO_CLIENT);
  await until('it is seen', () => read.length > 0);
  assert.ok(read[0]?.ok, 'with checksums that are right');
});

test('what is wrong is named, and no descriptor stays', asRoot, async () => {
  await using sandbox = new Sandbox('frames');
  const { left, leftRtnl, leftLink } = await makePair(sandbox);
  const { index } = leftLink;
  const before = openFds();
  const sender = left.run(() => new HostFrameSender());
  assert.equal(sender.send(4711, TO_CLIENT)?.code, 'ENXIO');
  assert.equal(sender.send(index, TO_CLIENT.subarray(0, 13))?.code, 'EINVAL');
  assert.equal(sender.send(index, new Uint8Array(9000))?.code, 'EMSGSIZE');
  await leftRtnl.links.set({ index, up: false });
  assert.equal(sender.send(index, TO_CLIENT)?.code, 'ENETDOWN');
  await leftRtnl.links.set({ index, up: true });
  assert.equal(sender.send(index, TO_CLIENT), undefined);
  await Promise.all([sender.close(), sender.close()]);
  assert.equal(openFds(), before);
});

test(
  'one frame out of another namespace leaves nothing open, and says why it could not',
  asRoot,
  async () => {
    await using sandbox = new Sandbox('once');
    const { left, right, leftLink, rightLink } = await makePair(sandbox);
    await using tap = right.run(() => openTap(rightLink.index, dhcpClientFilter()));
    const seen: string[] = [];
    tap.onFrame((frame) => seen.push(frame.toHex()));
    const frame = emitArpFrame(HOST, BROADCAST, gratuitousReply(A, HOST));
    const before = openFds();
    assert.equal(sendOnce(left, leftLink.index, frame), undefined);
    assert.equal(sendOnce(left, 999_999, frame)?.code, 'ENXIO');
    await until('the frame is heard', () => seen.includes(frame.toHex()));
    await until('the sockets are closed', () => openFds() === before);
  },
);
