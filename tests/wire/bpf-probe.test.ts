import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { mac } from '../../src/base/mac.ts';
import { probe } from '../../src/protocol/acd4/packets.ts';
import { emitArpFrame } from '../../src/wire/arp.ts';
import { probeProgram } from '../../src/wire/bpf.ts';
import { emitUdp4Frame } from '../../src/wire/ip/udp4.ts';
import { runBpf } from './bpf-machine.ts';

const HOST = mac('02:00:5e:10:00:02');
const OTHER = mac('02:00:5e:10:00:01');
const ALL = mac('ff:ff:ff:ff:ff:ff');
/** The tag as the kernel gives it: with the bit that says that there is one (VLAN_TAG_PRESENT of old kernels), or a priority. */
const VLAN_20 = 20;
const PRIORITY_ONLY = 0x2000;

function udp(dstPort: number, dstMac = OTHER): Uint8Array {
  const [src, dst] = [ipv4('192.168.1.1'), ipv4('192.168.1.7')];
  return emitUdp4Frame({
    srcMac: HOST,
    dstMac,
    src,
    dst,
    srcPort: 67,
    dstPort,
    payload: new Uint8Array(240),
  });
}

/** An IPv4 packet of another protocol, made from one of UDP. */
function ip(protocol: number, firstByte: number): Uint8Array {
  const frame = udp(68);
  frame[23] = protocol;
  frame[34] = firstByte;
  return frame;
}

function llc(to: string): Uint8Array {
  const frame = new Uint8Array(60);
  frame.set(Uint8Array.fromHex(to));
  frame.set([0, 38, 0x42, 0x42, 3], 12);
  return frame;
}

function takes(frame: Uint8Array, vlanTag = 0): boolean {
  return runBpf(probeProgram(), frame, vlanTag) > 0;
}

test('what a probe hears: DHCP answers, ICMP errors, all ARP, BPDUs', () => {
  assert.ok(takes(udp(68)));
  assert.ok(takes(udp(68, ALL), PRIORITY_ONLY));
  assert.ok(takes(ip(1, 3)));
  assert.ok(takes(emitArpFrame(HOST, ALL, probe(ipv4('192.168.1.7'), HOST))));
  assert.ok(takes(emitArpFrame(HOST, OTHER, { ...probe(ipv4('192.168.1.7'), HOST), op: 'reply' })));
  assert.ok(takes(llc('0180c2000000')));
});

test('what it does not hear: the traffic of the node, and other groups', () => {
  assert.ok(!takes(udp(67)));
  assert.ok(!takes(udp(53, ALL)));
  assert.ok(!takes(ip(1, 8)));
  assert.ok(!takes(ip(6, 3)));
  assert.ok(!takes(llc('0180c200000e')));
  assert.ok(!takes(llc('0180c3000000')));
  assert.ok(!takes(new Uint8Array(10)));
});

test('of other VLANs it hears what goes to groups, as a sign of them', () => {
  assert.ok(takes(udp(53, ALL), VLAN_20));
  assert.ok(takes(llc('0180c200000e'), VLAN_20));
  assert.ok(!takes(udp(68), VLAN_20));
});
