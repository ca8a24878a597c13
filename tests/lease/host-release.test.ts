import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { mac } from '../../src/base/mac.ts';
import { SysError } from '../../src/base/sys-error.ts';
import { later, millis } from '../../src/base/time.ts';
import { toHex } from '../../src/base/bytes.ts';
import { lanOf, type Owed, releaseFromHost, type ReleaseOutcome } from '../../src/lease/host-release.ts';
import { heldBy } from '../../src/protocol/dhcp4/state.ts';
import { parseDhcp4 } from '../../src/wire/dhcp4/message.ts';
import { readOption } from '../../src/wire/dhcp4/options.ts';
import { ADDRESS, CLIENT_ID, HOST_MAC, LAN, OwedLan, POD_MAC, SERVER, SERVER_MAC } from './owed-lan.ts';

const BROADCAST = 'ff:ff:ff:ff:ff:ff';
const OTHER_MAC = mac('02:00:5e:20:00:09');
const FAR_SERVER = ipv4('10.9.0.1');
const ROUTER = ipv4('192.168.2.254');
const ROUTER_MAC = mac('02:00:5e:00:00:fd');
const AFTER_THE_LAST_QUESTION = millis(250);
const NEVER = new AbortController().signal;
const ABORTED = AbortSignal.abort();

function owedOf(lan: OwedLan, overrides: Parameters<OwedLan['lease']>[0] = {}): Owed {
  const record = lan.record('pod', { state: { kind: 'bound', lease: lan.lease(overrides) } });
  const held = heldBy(record.state);
  assert.ok(held);
  return { record, held, lan: LAN };
}

async function release(
  lan: OwedLan,
  owed = owedOf(lan),
  options: Partial<Parameters<typeof releaseFromHost>[3] & Parameters<typeof releaseFromHost>[4]> = {},
): Promise<ReleaseOutcome> {
  const all = { isInUse: () => false, hasMac: () => false, signal: NEVER, blindly: true, ...options };
  const outcome = await lan.time.until(releaseFromHost(lan, lan, owed, all, all));
  assert.equal(lan.watched, 0, 'nobody watches ARP any more');
  return outcome;
}

describe('RELEASE from the host', () => {
  test('a whole frame: from the leased address, by the MAC of the LAN interface, to the server that answers', async () => {
    const lan = new OwedLan();
    assert.deepEqual(await release(lan), { kind: 'sent', confirmed: true });
    const [frame, ...more] = lan.releases;
    assert.ok(frame && more.length === 0);
    const { payload, at: _, ...outer } = frame;
    assert.deepEqual(outer, {
      srcMac: HOST_MAC,
      dstMac: SERVER_MAC,
      vlan: undefined,
      src: ADDRESS,
      dst: SERVER,
      srcPort: 68,
      dstPort: 67,
    });
    const message = parseDhcp4(payload);
    assert.ok(message.ok);
    const { op, ciaddr, yiaddr, giaddr, chaddr, broadcast, options } = message.value;
    assert.deepEqual(
      { op, ciaddr, yiaddr, giaddr, chaddr, broadcast },
      {
        op: 'request',
        ciaddr: ADDRESS,
        yiaddr: '0.0.0.0',
        giaddr: '0.0.0.0',
        chaddr: POD_MAC,
        broadcast: false,
      },
    );
    assert.deepEqual(
      [...options.keys()].toSorted((a, b) => a - b),
      [53, 54, 56, 61],
    );
    assert.deepEqual(readOption(options, 'dhcp-message-type'), { kind: 'value', value: 7 });
    assert.deepEqual(readOption(options, 'dhcp-server-identifier'), { kind: 'value', value: SERVER });
    assert.equal(toHex(options.get(61) ?? new Uint8Array()), CLIENT_ID);
  });

  test('asks as RFC 5227 probes, so that no cache learns the address: the server until it answers, the address three times', async () => {
    const lan = new OwedLan();
    const before = lan.time.now();
    await release(lan);
    for (const { op, senderIp, senderMac, targetMac } of lan.questions)
      assert.deepEqual(
        { op, senderIp, senderMac, targetMac },
        { op: 'request', senderIp: '0.0.0.0', senderMac: HOST_MAC, targetMac: '00:00:00:00:00:00' },
      );
    assert.deepEqual(
      lan.questions.map(({ targetIp }) => targetIp),
      [ADDRESS, SERVER, ADDRESS, ADDRESS],
    );
    assert.equal(lan.time.now() - before, 300);
  });

  test('nobody answers for the server: three questions, then a frame to all', async () => {
    const lan = new OwedLan();
    lan.hosts.clear();
    assert.deepEqual(await release(lan), { kind: 'sent', confirmed: false });
    assert.equal(lan.questions.filter(({ targetIp }) => targetIp === SERVER).length, 3);
    assert.equal(lan.releases[0]?.dstMac, BROADCAST);
    assert.equal(lan.releases[0]?.dst, SERVER);
  });

  test('nobody answers, and no more is to be told to all: nothing is sent', async () => {
    const lan = new OwedLan();
    lan.hosts.clear();
    const outcome = await release(lan, owedOf(lan), { blindly: false });
    assert.equal(outcome.kind, 'unreachable');
    assert.deepEqual(lan.releases, []);
  });

  test('a server beyond the subnet: by the first router of the lease', async () => {
    const lan = new OwedLan();
    lan.hosts.set(ROUTER, ROUTER_MAC);
    const owed = owedOf(lan, { serverId: FAR_SERVER, routers: [ROUTER, SERVER] });
    assert.deepEqual(await release(lan, owed), { kind: 'sent', confirmed: true });
    const [frame] = lan.releases;
    assert.deepEqual([frame?.dstMac, frame?.dst], [ROUTER_MAC, FAR_SERVER]);
    assert.ok(!lan.questions.some(({ targetIp }) => targetIp === FAR_SERVER));
  });

  test('a server beyond the subnet and no router: to all', async () => {
    const lan = new OwedLan();
    const owed = owedOf(lan, { serverId: FAR_SERVER, routers: [] });
    assert.deepEqual(await release(lan, owed), { kind: 'sent', confirmed: false });
    assert.equal(lan.releases[0]?.dstMac, BROADCAST);
  });

  test('answers that are no machine’s, or come from another LAN, are not taken', async () => {
    const lan = new OwedLan();
    lan.hosts.clear();
    const done = release(lan);
    const reply = { op: 'reply', targetMac: HOST_MAC, targetIp: ipv4('0.0.0.0') } as const;
    for (const senderIp of [SERVER, ADDRESS]) {
      for (const sender of [BROADCAST, '00:00:00:00:00:00', '01:00:5e:00:00:01', HOST_MAC])
        lan.hear({ ...reply, senderIp, senderMac: mac(sender) });
      lan.hear({ ...reply, senderIp, senderMac: OTHER_MAC }, LAN.index + 1);
    }
    lan.hear({ ...reply, op: 'request', senderIp: ipv4('0.0.0.0'), senderMac: OTHER_MAC, targetIp: SERVER });
    assert.deepEqual(await done, { kind: 'sent', confirmed: false });
  });
});

describe('RELEASE from the host: not when somebody lives by the lease', () => {
  test('another machine answers for the address: nothing is sent', async () => {
    const lan = new OwedLan();
    lan.hosts.set(ADDRESS, OTHER_MAC);
    assert.deepEqual(await release(lan), { kind: 'in-use', by: OTHER_MAC });
    assert.deepEqual(lan.releases, []);
  });

  test('another machine probes for the address, as before using it, or announces it', async () => {
    const probe = { op: 'request', senderMac: OTHER_MAC, targetMac: mac('00:00:00:00:00:00') } as const;
    for (const senderIp of [ipv4('0.0.0.0'), ADDRESS]) {
      const lan = new OwedLan();
      lan.time.at(lan.time.now(), () => lan.hear({ ...probe, senderIp, targetIp: ADDRESS }));
      assert.deepEqual(await release(lan), { kind: 'in-use', by: OTHER_MAC });
      assert.deepEqual(lan.releases, []);
    }
  });

  test('the pod’s own MAC answers: not now', async () => {
    const lan = new OwedLan();
    lan.hosts.set(ADDRESS, POD_MAC);
    const why = `${POD_MAC} still answers for ${ADDRESS}`;
    assert.deepEqual(await release(lan), { kind: 'still-there', why });
    assert.deepEqual(lan.releases, []);
  });

  test('the pod’s link is up somewhere: not now, and again when it is gone', async () => {
    const lan = new OwedLan();
    lan.children.add(POD_MAC);
    const why = `eth0 (${POD_MAC}) is still up on eth0, in some network namespace`;
    assert.deepEqual(await release(lan), { kind: 'still-there', why });
    assert.deepEqual(lan.releases, []);
    lan.children.delete(POD_MAC);
    assert.deepEqual(await release(lan), { kind: 'sent', confirmed: true });
  });

  test('whether it is cannot be seen: not now', async () => {
    const lan = new OwedLan();
    lan.filterError = new SysError('RTM_GETNEIGH AF_BRIDGE', 'ENOBUFS');
    const outcome = await release(lan);
    assert.ok(outcome.kind === 'unreachable' && outcome.why.includes('ENOBUFS'));
    assert.deepEqual(lan.releases, []);
  });

  test('a link with its MAC address that is not the pod’s with the address: released', async () => {
    const lan = new OwedLan();
    lan.children.add(POD_MAC);
    const owed = owedOf(lan);
    const earlier = { ...owed, record: { ...owed.record, bootId: 'earlier' } };
    const takenOff = { ...owed, takenOff: true };
    assert.deepEqual(await release(lan, earlier), { kind: 'sent', confirmed: true });
    assert.deepEqual(await release(lan, takenOff), { kind: 'sent', confirmed: true });
    assert.deepEqual(await release(lan, owed, { hasMac: () => true }), {
      kind: 'sent',
      confirmed: true,
    });
  });

  test('the link of the pod answered for the last time when it was first asked', async () => {
    const lan = new OwedLan();
    lan.hosts.set(ADDRESS, POD_MAC);
    lan.time.at(later(lan.time.now(), millis(150)), () => lan.hosts.delete(ADDRESS));
    assert.deepEqual(await release(lan), { kind: 'sent', confirmed: true });
  });

  test('a pod of this node took it up while the LAN was asked', async () => {
    const lan = new OwedLan();
    let inUse = false;
    const done = release(lan, owedOf(lan), { isInUse: () => inUse });
    inUse = true;
    assert.deepEqual(await done, { kind: 'in-use', by: 'this node' });
    assert.deepEqual(lan.releases, []);
  });

  test('cancelled before or meanwhile: nothing is sent, no timer is left', async () => {
    const lan = new OwedLan();
    assert.deepEqual(await release(lan, owedOf(lan), { signal: ABORTED }), { kind: 'cancelled' });
    const controller = new AbortController();
    lan.time.at(later(lan.time.now(), AFTER_THE_LAST_QUESTION), () => controller.abort());
    assert.deepEqual(await release(lan, owedOf(lan), { signal: controller.signal }), { kind: 'cancelled' });
    assert.equal(lan.time.pending, 0);
    assert.deepEqual(lan.releases, []);
  });
});

describe('RELEASE from the host: the LAN interface', () => {
  const unfit: readonly (readonly [string, (lan: OwedLan) => unknown, RegExp])[] = [
    ['gone', (lan) => lan.links.clear(), /^there is no interface eth0$/],
    ['down', (lan) => lan.setLink({ up: false }), /^eth0 has no carrier$/],
    ['without carrier', (lan) => lan.setLink({ lowerUp: false }), /^eth0 has no carrier$/],
    ['without a MAC', (lan) => lan.setLink({ mac: undefined }), /^eth0 has no MAC address$/],
  ];

  for (const [name, spoil, why] of unfit) {
    test(`${name}: before, and in the middle`, async () => {
      const lan = new OwedLan();
      const owed = owedOf(lan);
      lan.time.at(later(lan.time.now(), AFTER_THE_LAST_QUESTION), () => spoil(lan));
      for (const outcome of [await release(lan, owed), await release(lan, owed)]) {
        assert.ok(outcome.kind === 'unreachable');
        assert.match(outcome.why, why);
      }
      assert.deepEqual(lan.releases, []);
    });
  }

  test('plugged in again, and the server is there: released to the machine that answers', async () => {
    const lan = new OwedLan();
    lan.setLink({ index: 99 });
    assert.deepEqual(lanOf(lan, owedOf(lan)), { ok: true, value: { index: 99, mac: HOST_MAC, moved: true } });
    assert.deepEqual(await release(lan), { kind: 'sent', confirmed: true });
    assert.deepEqual([lan.releases.length, lan.releases[0]?.dstMac], [1, SERVER_MAC]);
  });

  test('plugged in again, and nobody answers: perhaps another LAN, so nothing is told to all of it', async () => {
    const lan = new OwedLan();
    lan.setLink({ index: 99 });
    lan.hosts.clear();
    const outcome = await release(lan);
    assert.ok(outcome.kind === 'unreachable');
    assert.match(outcome.why, /^eth0 is another interface now \(#99, was #7\), and nobody answers ARP/);
    assert.deepEqual(lan.releases, []);
  });

  test('plugged in again while the server is asked for: what was heard counts no more', async () => {
    const lan = new OwedLan();
    lan.time.at(later(lan.time.now(), AFTER_THE_LAST_QUESTION), () => lan.setLink({ index: 99 }));
    const outcome = await release(lan);
    assert.ok(outcome.kind === 'unreachable');
    assert.match(outcome.why, /^eth0 was replaced while/);
    assert.deepEqual(lan.releases, []);
  });

  test('after a reboot the name counts, whatever the index', async () => {
    const lan = new OwedLan('boot-2');
    lan.setLink({ index: 3 });
    const owed = owedOf(lan);
    const earlier = { ...owed, record: { ...owed.record, bootId: 'boot-1' } };
    assert.deepEqual(lanOf(lan, earlier), { ok: true, value: { index: 3, mac: HOST_MAC, moved: false } });
    assert.deepEqual(await release(lan, earlier), { kind: 'sent', confirmed: true });
  });

  test('what the kernel refuses is an outcome; what is a bug is thrown', async () => {
    const lan = new OwedLan();
    lan.sendError = new SysError('send on #7', 'ENETDOWN');
    assert.deepEqual(await release(lan), { kind: 'unreachable', why: 'send on #7: ENETDOWN' });
    lan.sendError = undefined;
    lan.listenError = new SysError('open packet tap on #7', 'ENODEV');
    assert.deepEqual(await release(lan), { kind: 'unreachable', why: 'open packet tap on #7: ENODEV' });
    lan.listenError = new TypeError('a bug');
    await assert.rejects(release(lan), TypeError);
    assert.deepEqual(lan.releases, []);
  });
});
