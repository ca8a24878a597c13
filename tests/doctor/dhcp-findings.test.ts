import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { SysError } from '../../src/base/sys-error.ts';
import { millis } from '../../src/base/time.ts';
import { childMac } from '../../src/doctor/discover.ts';
import type { Finding } from '../../src/doctor/finding.ts';
import { lanFindings } from '../../src/doctor/lan.ts';
import { isMulticastMac } from '../../src/base/mac.ts';
import { DHCP_MESSAGE_TYPE } from '../../src/wire/dhcp4/message-type.ts';
import { type Asked, FakeLan, OWN, replyFrame } from './support/fake-lan.ts';

const LONG_ENOUGH_MS = 20_000;

async function run(lan: FakeLan, patience = 0): Promise<readonly Finding[]> {
  const found = lanFindings(lan, 'eth0', { patience: millis(patience) });
  await lan.pass(LONG_ENOUGH_MS);
  return await found;
}

function answering(when: (asked: Asked) => boolean): FakeLan {
  const lan = new FakeLan();
  lan.answer = (asked) => (when(asked) ? [replyFrame(asked)] : []);
  return lan;
}

function ids(findings: readonly Finding[]): readonly string[] {
  return findings.map(({ id }) => id);
}

const CHILD = childMac(OWN);
const ofNode = ({ message }: Asked): boolean => message.chaddr === OWN;

test('the foreign MAC is stable, locally administered, of one machine, and another one for each uplink', () => {
  assert.equal(childMac(OWN), CHILD);
  assert.equal(Number.parseInt(CHILD.slice(0, 2), 16) & 0x02, 0x02);
  assert.ok(!isMulticastMac(CHILD));
  assert.notEqual(childMac(CHILD), CHILD);
});

test('only DISCOVERs are sent, with at most three client identifiers, and never again where an answer came', async () => {
  const lan = answering(() => true);
  assert.deepEqual(ids(await run(lan)), ['lan-ok']);
  // Six ways, then one with all that a pod sends, and one with option 80.
  assert.equal(lan.asked.length, 8);
  for (const { message } of lan.asked) {
    assert.deepEqual(message.options.get(53), Uint8Array.of(DHCP_MESSAGE_TYPE.DHCPDISCOVER));
  }
  const clients = new Set(lan.asked.map(({ message }) => message.options.get(61)?.toHex()));
  assert.equal(clients.size, 4, 'none, and three');
  assert.equal(new Set(lan.asked.map(({ message }) => message.xid)).size, 8);
  assert.deepEqual([lan.opened, lan.closed, lan.pendingTimers], [1, 1, 0]);
});

test('a silent LAN is asked a bounded number of times, and the socket is closed', async () => {
  const lan = new FakeLan();
  assert.deepEqual(ids(await run(lan, LONG_ENOUGH_MS - 2000)), ['no-server']);
  // A DHCPINFORM a round beside the six DISCOVERs.
  assert.ok(lan.asked.length <= 7 * 21, String(lan.asked.length));
  assert.deepEqual([lan.closed, lan.pendingTimers], [1, 0]);
});

test('mac-filter with a doubt: the server may refuse the MAC itself, but its pool has room', async () => {
  const lan = new FakeLan();
  lan.answer = (asked) => {
    if (!ofNode(asked)) return [];
    return [replyFrame(asked, { address: ipv4(asked.stranger ? '192.168.2.78' : '192.168.2.10') })];
  };
  const [finding] = await run(lan);
  assert.equal(finding?.id, 'mac-filter');
  assert.match(finding.title, /, or the server does not serve unknown MACs$/);
  assert.match(finding.remedy[0] ?? '', /^Switch: allow more than one MAC address/);
});

test('pool-empty: a new client on the own MAC that gets the address of the node shows no room', async () => {
  const [finding] = await run(answering(ofNode));
  assert.equal(finding?.id, 'pool-empty');
  assert.match(finding.title, /or it takes longer than that for a new one$/);
});

test('broadcast-only: the node too is answered only with the bit; a note, and the rest is fine', async () => {
  const findings = await run(answering(({ message }) => message.broadcast));
  assert.deepEqual(ids(findings), ['broadcast-only', 'lan-ok']);
  assert.equal(findings[0]?.severity, 'note');
});

test('unicast-filter: the node is answered without the bit, a pod is not', async () => {
  const lan = answering(({ message }) => message.broadcast || message.chaddr === OWN);
  assert.deepEqual(ids(await run(lan)), ['unicast-filter']);
});

/** What the finding says of a server that answers with a NAK of these words, and then with an OFFER. */
async function nakEvidence(text: string): Promise<string | undefined> {
  const lan = new FakeLan();
  const nak = { type: DHCP_MESSAGE_TYPE.DHCPNAK, text } as const;
  lan.answer = (asked) => [replyFrame(asked, nak), replyFrame(asked)];
  const finding = (await run(lan)).find(({ id }) => id === 'nak');
  assert.equal(finding?.severity, 'warning');
  assert.equal(finding.evidence.length, 2);
  return finding.evidence[1];
}

test('nak: in the words of the server, bounded, and visible', async () => {
  assert.equal(await nakEvidence('not on this wire'), 'NAK of 192.168.2.1: "not on this wire"');
  assert.equal(await nakEvidence('go\u001b[31m away'), String.raw`NAK of 192.168.2.1: "go\u{1b}[31m away"`);
  assert.equal(await nakEvidence('x'.repeat(200)), `NAK of 192.168.2.1: "${'x'.repeat(120)}…"`);
});

test('answers to somebody else, and noise, are nothing', async () => {
  const lan = new FakeLan();
  lan.answer = (asked) => {
    const other = { ...asked, message: { ...asked.message, xid: asked.message.xid ^ 0x5555 } };
    const frame = replyFrame(asked);
    return [replyFrame(other), frame.subarray(0, 60), new Uint8Array(3), new Uint8Array(200)];
  };
  assert.deepEqual(ids(await run(lan)), ['no-server']);
});

test('a flood of answers fills no memory', async () => {
  const lan = new FakeLan();
  const servers = Array.from({ length: 500 }, (_, i) => ipv4(`10.0.${i >> 8}.${i & 255}`));
  lan.answer = (asked) => servers.map((server) => replyFrame(asked, { server, router: server }));
  const [finding] = await run(lan);
  assert.equal(finding?.id, 'rogue-server');
  assert.equal(finding.evidence.length, 16);
});

test('an interface that cannot send, and a socket that is refused, are findings', async () => {
  const deaf = new FakeLan();
  deaf.sendError = new SysError('send', 'ENETDOWN');
  const [failed] = await run(deaf);
  assert.equal(failed?.id, 'send-failed');
  assert.deepEqual(failed.evidence, ['send: ENETDOWN']);
  const refused = new FakeLan();
  refused.openError = new SysError('listen on #3', 'EPERM');
  const [finding] = await run(refused);
  assert.equal(finding?.id, 'probe-failed');
  assert.match(finding.remedy[0] ?? '', /CAP_NET_RAW/);
});
