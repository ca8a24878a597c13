import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cidr } from '../../src/base/cidr.ts';
import { IPV4_ANY, ipv4 } from '../../src/base/ipv4.ts';
import { openArp } from '../../src/kernel/arp-socket.ts';
import { PodNetwork } from '../../src/kernel/pod-network.ts';
import { readSysctl } from '../../src/kernel/sysctl.ts';
import { probe } from '../../src/protocol/acd4/packets.ts';
import type { ArpPacket } from '../../src/wire/arp.ts';
import { asRoot, makePair, Sandbox, until } from './support/sandbox.ts';

const ADDRESS = ipv4('10.9.0.2');
const ADDRESSES = { addresses: [cidr(`${ADDRESS}/24`)], routes: [] };
/** A question that the test sends itself: what was announced before it has been heard by then. */
const MARKER = ipv4('10.9.0.77');

/** "announced" and "marker", in the order in which the other end hears them. */
function named({ senderIp, targetIp }: ArpPacket): string {
  if (senderIp === ADDRESS && targetIp === ADDRESS) return 'announced';
  return senderIp === IPV4_ANY && targetIp === MARKER ? 'marker' : `${senderIp} asks for ${targetIp}`;
}

test('arpNotify announces when the interface comes up again, announce now as well', asRoot, async () => {
  await using sandbox = new Sandbox('announce');
  const { left, leftRtnl, right, rightRtnl, leftLink, rightLink } = await makePair(sandbox);
  const { index, mac } = leftLink;
  assert.ok(mac !== undefined);
  const pod = PodNetwork.open(sandbox.path('left'), rightRtnl);
  await using ear = openArp(right, rightLink.index);
  const heard: string[] = [];
  ear.onPacket((packet) => heard.push(named(packet)));
  await using mouth = openArp(left, index);
  const markerHeard = async (): Promise<readonly string[]> => {
    heard.length = 0;
    assert.equal(mouth.send(probe(MARKER, mac)), undefined);
    await until('the marker is heard', () => heard.includes('marker'));
    return [...heard];
  };

  await pod.configure(index, { ...ADDRESSES, arpNotify: true });
  assert.equal(readSysctl(left, ['ipv4', 'conf', 'v0', 'arp_notify']), '1');
  assert.deepEqual(await markerHeard(), ['marker']);
  heard.length = 0;
  await leftRtnl.links.set({ index, up: false });
  await leftRtnl.links.set({ index, up: true });
  await until('it is announced when it comes up', () => heard.includes('announced'));
  heard.length = 0;
  await pod.configure(index, { ...ADDRESSES, announce: mac });
  await until('it is announced now', () => heard.includes('announced'));
  pod.close();
});

test('arpIgnore: ARP for the address of another interface is not answered', asRoot, async () => {
  await using sandbox = new Sandbox('announce');
  const { left, leftRtnl, right, rightRtnl, leftLink, rightLink } = await makePair(sandbox);
  const { index } = leftLink;
  const pod = PodNetwork.open(sandbox.path('left'), rightRtnl);
  await leftRtnl.links.add({ name: 'w0', kind: 'veth', up: true, peer: { name: 'w1' } });
  const other = await leftRtnl.links.get('w0');
  assert.ok(other !== undefined && rightLink.mac !== undefined);
  await pod.configure(other.index, { addresses: [cidr('10.8.0.2/24')], routes: [] });
  const asked = rightLink.mac;
  await using ear = openArp(right, rightLink.index);
  const heard: string[] = [];
  ear.onPacket(({ op, senderIp }) => {
    if (op === 'reply') heard.push(senderIp);
  });
  const ask = (address: string): void => {
    assert.equal(ear.send(probe(ipv4(address), asked)), undefined);
  };

  await pod.configure(index, ADDRESSES);
  ask('10.8.0.2');
  await until('it answers for the other', () => heard.length > 0);
  assert.deepEqual(heard, ['10.8.0.2']);
  await pod.configure(index, { addresses: [], routes: [], arpIgnore: true });
  assert.equal(readSysctl(left, ['ipv4', 'conf', 'v0', 'arp_ignore']), '1');
  heard.length = 0;
  ask('10.8.0.2');
  ask(ADDRESS);
  await until('it answers for itself', () => heard.length > 0);
  assert.deepEqual(heard, [ADDRESS]);
  pod.close();
});
