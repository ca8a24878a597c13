import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utf8 } from '../../src/base/bytes.ts';
import { IPV4_BROADCAST } from '../../src/base/ipv4.ts';
import type { SysError } from '../../src/base/sys-error.ts';
import { openTap, type PacketTap } from '../../src/kernel/packet-tap.ts';
import { openUdp } from '../../src/kernel/udp-socket.ts';
import { asRoot, makePair, Sandbox, until } from './support/sandbox.ts';

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
  using sender = openUdp(left, { ifname: 'v0', localPort: 67, broadcast: true });
  using own = openUdp(right, { ifname: 'v1', localPort: 67, broadcast: true });
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
  const { left, right, rightRtnl, rightLink } = await makePair(sandbox);
  const pod = sandbox.namespace('pod');
  await rightRtnl.links.addMacvlan({
    name: 'eth0',
    masterIndex: rightLink.index,
    netnsFd: pod.fd,
    mode: 'bridge',
    up: true,
  });
  await using tap = right.run(() => openTap(rightLink.index, TO_PORT_68));
  const seen = record(tap);
  using sender = openUdp(left, { ifname: 'v0', localPort: 67, broadcast: true });
  sender.send(utf8('OFFER'), IPV4_BROADCAST, 68);
  await until('the frame is seen', () => seen.length > 0);
});

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
  using sender = openUdp(left, { ifname: 'v0', localPort: 67, broadcast: true });
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
  using sender = openUdp(left, { ifname: 'v0', localPort: 67, broadcast: true });
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
