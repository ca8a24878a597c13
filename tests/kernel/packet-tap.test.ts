import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '../../src/base/bytes.ts';
import { IPV4_BROADCAST, ipv4, ipv4FromNumber } from '../../src/base/ipv4.ts';
import { mac, type Mac } from '../../src/base/mac.ts';
import type { SysError } from '../../src/base/sys-error.ts';
import { HostFrameSender } from '../../src/kernel/frame-sender.ts';
import { openTap, type PacketTap } from '../../src/kernel/packet-tap.ts';
import { writeSysctls } from '../../src/kernel/sysctl.ts';
import { openUdp } from './support/udp-socket.ts';
import { type ArpPacket, emitArpToAll, parseArpFrame } from '../../src/wire/arp.ts';
import { MOST_BLOCKS } from '../../src/wire/bpf-address-set.ts';
import { dhcpClientFilter } from '../../src/wire/bpf.ts';
import { emitUdp4Frame } from '../../src/wire/ip/udp4.ts';
import type { Link } from '../../src/wire/netlink/link.ts';
import { addPod, asRoot, makePair, Sandbox, until } from './support/sandbox.ts';

// linux/filter.h, linux/bpf_common.h: class, size and mode of the instructions used below.
const LD_H_ABS = 0x28;
const LD_B_ABS = 0x30;
const JEQ = 0x15;
const RET = 0x06;

function instruction(code: number, jt: number, jf: number, k: number): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, code, true);
  bytes.set([jt, jf], 2);
  view.setUint32(4, k, true);
  return bytes;
}

/** IPv4 without options, UDP, destination port 68. */
const TO_PORT_68 = Buffer.concat([
  instruction(LD_H_ABS, 0, 0, 12),
  instruction(JEQ, 0, 5, 0x0800),
  instruction(LD_B_ABS, 0, 0, 23),
  instruction(JEQ, 0, 3, 17),
  instruction(LD_H_ABS, 0, 0, 36),
  instruction(JEQ, 0, 1, 68),
  instruction(RET, 0, 0, 0xffff),
  instruction(RET, 0, 0, 0),
]);

const PAYLOAD_AT = 42;
const NO_MAC = mac('00:00:00:00:00:00');
const EVERYBODY = mac('ff:ff:ff:ff:ff:ff');

/** What a tap has seen, as "payload checksumReady". */
function record(tap: PacketTap): string[] {
  const seen: string[] = [];
  tap.onFrame((frame, { checksumReady }) => {
    seen.push(`${new TextDecoder().decode(frame.subarray(PAYLOAD_AT))} ${checksumReady}`);
  });
  return seen;
}

test('sees frames to port 68 and no others, and tells that veth left the checksum out', asRoot, async () => {
  await using sandbox = new Sandbox('tap');
  const { left, right, rightLink } = await makePair(sandbox);
  await using tap = right.run(() => openTap(rightLink.index, TO_PORT_68));
  const seen = record(tap);
  using sender = openUdp(left, { ifname: 'v0', localPort: 67 });
  using own = openUdp(right, { ifname: 'v1', localPort: 67 });
  sender.send(utf8('other'), IPV4_BROADCAST, 69);
  // What the host itself sends is not for the tap.
  own.send(utf8('own'), IPV4_BROADCAST, 68);
  sender.send(utf8('OFFER'), IPV4_BROADCAST, 68);
  await until('the frame is seen', () => seen.length > 0);
  assert.deepEqual(seen, ['OFFER false']);
  assert.equal(tap.drops(), 0);
});

test('sees what comes for a macvlan child in another namespace', asRoot, async () => {
  await using sandbox = new Sandbox('tap');
  const pair = await makePair(sandbox);
  const { left, right, rightLink } = pair;
  await addPod(sandbox, pair, 'pod');
  await using tap = right.run(() => openTap(rightLink.index, TO_PORT_68));
  const seen = record(tap);
  using sender = openUdp(left, { ifname: 'v0', localPort: 67 });
  sender.send(utf8('OFFER'), IPV4_BROADCAST, 68);
  await until('the frame is seen', () => seen.length > 0);
});

test(
  'sees what one macvlan sends to another, and what it broadcasts only when asked to; of ARP nothing',
  asRoot,
  async () => {
    await using sandbox = new Sandbox('tap');
    const pair = await makePair(sandbox);
    const { right, rightLink } = pair;
    const children: { readonly link: Link; readonly sender: HostFrameSender }[] = [];
    await using senders = new AsyncDisposableStack();
    for (const name of ['one', 'two']) {
      const { netns, link } = await addPod(sandbox, pair, name);
      children.push({ link, sender: senders.use(netns.run(() => new HostFrameSender())) });
    }
    const [one, two] = children;
    assert.ok(one?.link.mac !== undefined && two?.link.mac !== undefined);
    const from = one.link.mac;
    await using tap = right.run(() => openTap(rightLink.index, dhcpClientFilter()));
    const seen: string[] = [];
    tap.onFrame((frame) => seen.push(new TextDecoder().decode(frame.subarray(PAYLOAD_AT))));
    const say = (payload: string, dstMac: Mac): void => {
      const ports = { srcPort: 67, dstPort: 68, src: ipv4('192.168.2.1'), dst: IPV4_BROADCAST };
      const frame = emitUdp4Frame({ ...ports, srcMac: from, dstMac, payload: utf8(payload) });
      assert.equal(one.sender.send(one.link.index, frame), undefined);
    };
    say('broadcast, unheard', EVERYBODY);
    say('unicast', two.link.mac);
    say('the last', two.link.mac);
    await until('the last is seen', () => seen.length >= 2);
    assert.deepEqual(seen, ['unicast', 'the last']);
  },
);

test('goes on after the interface was down, and knows when it is gone', asRoot, async () => {
  await using sandbox = new Sandbox('tap');
  const { left, right, rightRtnl, rightLink } = await makePair(sandbox);
  const { index } = rightLink;
  await using tap = right.run(() => openTap(index, TO_PORT_68));
  const seen: number[] = [];
  const errors: SysError[] = [];
  tap.onFrame(
    (frame) => seen.push(frame.length),
    (error) => errors.push(error),
  );
  await rightRtnl.links.set({ index, up: false });
  await until('the error is told', () => errors.length > 0);
  assert.equal(tap.attached(), true);
  await rightRtnl.links.set({ index, up: true });
  using sender = openUdp(left, { ifname: 'v0', localPort: 67 });
  await until('frames are seen again', () => {
    sender.send(utf8('OFFER'), IPV4_BROADCAST, 68);
    return seen.length > 0;
  });
  await rightRtnl.links.delete(index);
  await until('the end is told', () => errors.length > 1);
  assert.deepEqual([...new Set(errors.map((error) => error.code))], ['ENETDOWN']);
  assert.equal(tap.attached(), false);
});

test('nothing is delivered once it is closing', asRoot, async () => {
  await using sandbox = new Sandbox('tap');
  const { left, right, rightLink } = await makePair(sandbox);
  const tap = right.run(() => openTap(rightLink.index, TO_PORT_68));
  const seen = record(tap);
  using sender = openUdp(left, { ifname: 'v0', localPort: 67 });
  sender.send(utf8('OFFER'), IPV4_BROADCAST, 68);
  await Promise.all([tap.close(), tap.close()]);
  assert.deepEqual(seen, []);
});

test('errors are named', asRoot, async () => {
  await using sandbox = new Sandbox('tap');
  const { right, rightLink } = await makePair(sandbox);
  const open = (index: number, program: Uint8Array): unknown => right.run(() => openTap(index, program));
  assert.throws(() => open(4711, TO_PORT_68), { code: 'ENODEV', op: 'open packet tap on #4711' });
  assert.throws(() => open(rightLink.index, new Uint8Array(0)), { code: 'EINVAL' });
  assert.throws(() => open(rightLink.index, TO_PORT_68.subarray(0, 12)), { code: 'EINVAL' });
  assert.throws(() => open(rightLink.index, instruction(0xffff, 0, 0, 0)), { code: 'EINVAL' });
});

/** net.core.optmem_max before Linux 6.8. */
const OLD_OPTMEM_MAX = 20_480;

test(
  'the largest filter of claimed addresses fits beside itself where older kernels have the limit',
  asRoot,
  async () => {
    await using sandbox = new Sandbox('tap');
    const { left, leftLink, right, rightLink } = await makePair(sandbox);
    writeSysctls(right, [[['core', 'optmem_max'], String(OLD_OPTMEM_MAX)]]);
    await using tap = right.run(() => openTap(rightLink.index, dhcpClientFilter()));
    await using lan = left.run(() => openTap(leftLink.index, dhcpClientFilter()));
    let seen = 0;
    tap.onFrame(() => void (seen += 1));
    // The last address of a block is the sign bit of its word, which costs an instruction more.
    const scattered = Array.from({ length: MOST_BLOCKS }, (_, i) =>
      ipv4FromNumber(0xc0a8_001f + 0x1_0020 * i),
    );
    for (let i = 0; i < 3; i++) tap.filter(dhcpClientFilter(scattered));
    const many = Array.from({ length: 8192 }, (_, i) => ipv4FromNumber(0x0a00_001f + 32 * i));
    for (let i = 0; i < 3; i++) tap.filter(dhcpClientFilter(many));
    tap.filter(dhcpClientFilter(scattered));
    const tooBig = Buffer.concat(Array.from({ length: OLD_OPTMEM_MAX / 16 }, () => TO_PORT_68.subarray(48)));
    assert.throws(() => tap.filter(tooBig), { code: 'ENOMEM' });
    const sender = scattered.at(-1);
    assert.ok(sender !== undefined && leftLink.mac !== undefined);
    const question = { op: 'request', senderMac: leftLink.mac, senderIp: sender } as const;
    const target = { targetMac: NO_MAC, targetIp: ipv4('10.0.0.1') };
    assert.equal(lan.send(emitArpToAll({ ...question, ...target })), undefined);
    await until('the last filter that was taken is in force', () => seen === 1);
  },
);

test('a filter that is changed all the time loses nothing', asRoot, async () => {
  await using sandbox = new Sandbox('tap');
  const { left, leftLink, right, rightLink } = await makePair(sandbox);
  await using tap = right.run(() => openTap(rightLink.index, dhcpClientFilter()));
  await using lan = left.run(() => openTap(leftLink.index, dhcpClientFilter()));
  const seen: string[] = [];
  tap.onFrame((frame) => {
    const arp = parseArpFrame(frame);
    if (arp.ok) seen.push(arp.value.targetIp);
  });
  const { mac: senderMac } = leftLink;
  assert.ok(senderMac !== undefined);
  const sent: string[] = [];
  for (let host = 1; host < 250; host++) {
    const [senderIp, targetIp] = [ipv4('192.0.2.254'), ipv4(`192.0.2.${host}`)];
    // What it hears grows with each change; the sender is always in it.
    tap.filter(dhcpClientFilter(Array.from({ length: host }, (_, i) => ipv4(`192.0.2.${254 - i}`))));
    const packet: ArpPacket = { op: 'request', senderMac, senderIp, targetMac: NO_MAC, targetIp };
    assert.equal(lan.send(emitArpToAll(packet)), undefined);
    sent.push(targetIp);
  }
  await until('all of them are heard', () => seen.length >= sent.length);
  assert.deepEqual(seen, sent);
});
