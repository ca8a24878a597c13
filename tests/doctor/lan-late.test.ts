import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { concat } from '../../src/base/bytes.ts';
import { cidr } from '../../src/base/cidr.ts';
import { millis } from '../../src/base/time.ts';
import type { Finding } from '../../src/doctor/finding.ts';
import { lanFindings } from '../../src/doctor/lan.ts';
import { NetNs } from '../../src/kernel/netns.ts';
import { openProbeSocket, type ProbeSocket } from '../../src/kernel/probe-socket.ts';
import { readLink } from '../../src/kernel/link-ioctl.ts';
import type { HomeLan } from '../../src/lab/home-lan.ts';
import { homeLan, NEEDS_ROOT } from '../support/home-lan.ts';
import { restartWithSpanningTree } from './support/faults.ts';
import { nodePorts } from './support/node-ports.ts';

const NODE = { address: cidr('192.168.2.10/24') };
const AT_ONCE = 4;
const RESEND_MS = 20;

function ids(findings: readonly Finding[]): readonly string[] {
  return findings.map(({ id }) => id);
}

/** Sends a frame from the router's end of the node's cable again and again, as if it were on the wire. */
function chatter(t: TestContext, lan: HomeLan, frame: Uint8Array): void {
  const netns = NetNs.open(lan.router.path);
  const link = readLink(lan.node.port, netns);
  assert.ok(link !== undefined);
  const socket: ProbeSocket = netns.run(() =>
    openProbeSocket(link.index, { addresses: [], promiscuous: false }),
  );
  const timer = setInterval(() => socket.send(frame), RESEND_MS);
  t.after(async () => {
    clearInterval(timer);
    await socket.close();
    netns.close();
  });
}

/** A broadcast with an 802.1Q tag, of a protocol that nobody has (IEEE 802's local experimental EtherType). */
function tagged(vlan: number): Uint8Array {
  const head = Uint8Array.of(255, 255, 255, 255, 255, 255, 2, 0, 0x5e, 0x10, 0, 1);
  return concat([head, Uint8Array.of(0x81, 0, vlan >> 8, vlan & 255, 0x88, 0xb5), new Uint8Array(46)]);
}

/** A BPDU of the rapid spanning tree (IEEE 802.1D 9.3.3) of a port that discards. */
function discardingPort(): Uint8Array {
  const body = new Uint8Array(39);
  body.set([0x42, 0x42, 0x03, 0, 0, 2, 2, 0x0c]);
  body.set([2, 0, 0x5e, 0x10, 0, 9], 22);
  body.set([15, 0], 36);
  const to = Uint8Array.of(1, 0x80, 0xc2, 0, 0, 0);
  return concat([to, Uint8Array.of(2, 0, 0x5e, 0x10, 0, 9), Uint8Array.of(0, 39), body]);
}

describe('a port that is not what it should be', { skip: NEEDS_ROOT, concurrency: AT_ONCE }, () => {
  test('port-starts-late: a spanning tree listens and learns before it lets anything through', async (t) => {
    const lan = await homeLan(t, { hosts: { node: NODE } });
    await restartWithSpanningTree(lan, lan.node);
    const ports = nodePorts(t, lan.node.namespace);
    const findings = await lanFindings(ports, 'eth0');
    assert.deepEqual(ids(findings), ['port-starts-late'], JSON.stringify(findings, undefined, 1));
    assert.equal(findings[0]?.severity, 'warning');
    assert.match(
      findings[0]?.title ?? '',
      /nothing passed on eth0 at first: the DISCOVERs of the first \d s were lost/,
    );
    assert.ok(findings[0]?.evidence.some((line) => /^BPDUs of .*: forward delay 2 s$/.test(line)));
  });

  test('while nothing passes yet, BPDUs are named beside the silence', async (t) => {
    const lan = await homeLan(t, { hosts: { node: NODE } });
    await restartWithSpanningTree(lan, lan.node);
    const findings = await lanFindings(nodePorts(t, lan.node.namespace), 'eth0', { patience: millis(0) });
    assert.deepEqual(ids(findings), ['no-server', 'port-starts-late']);
  });

  test('a port that says itself that it does not forward', async (t) => {
    const lan = await homeLan(t, { hosts: { node: NODE }, server: { kind: 'none' } });
    chatter(t, lan, discardingPort());
    const findings = await lanFindings(nodePorts(t, lan.node.namespace), 'eth0', { patience: millis(0) });
    const late = findings.find(({ id }) => id === 'port-starts-late');
    assert.match(
      late?.title ?? '',
      /does not forward yet: its spanning tree is still listening \(30 s after link up\)/,
    );
  });

  test('vlan-filter: only tagged frames arrive, and nothing is answered', async (t) => {
    const lan = await homeLan(t, { hosts: { node: NODE }, server: { kind: 'none' } });
    chatter(t, lan, tagged(20));
    chatter(t, lan, tagged(1044));
    const findings = await lanFindings(nodePorts(t, lan.node.namespace), 'eth0', { patience: millis(0) });
    assert.deepEqual(ids(findings), ['no-server', 'vlan-filter']);
    assert.match(findings[1]?.title ?? '', /the port carries VLAN 20, 1044 with tags/);
    assert.match(findings[1]?.remedy[0] ?? '', /name eth0\.20 type vlan id 20/);
  });

  test('tags beside a LAN that answers are no fault', async (t) => {
    const lan = await homeLan(t, { hosts: { node: NODE } });
    chatter(t, lan, tagged(20));
    const findings = await lanFindings(nodePorts(t, lan.node.namespace), 'eth0');
    assert.deepEqual(ids(findings), ['lan-ok']);
    assert.ok(findings[0]?.evidence.includes('broadcasts with the tag of VLAN 20 arrive'));
  });
});
