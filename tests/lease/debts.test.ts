import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { SysError } from '../../src/base/sys-error.ts';
import { newAcquisition } from '../../src/protocol/dhcp4/state.ts';
import {
  ADDRESS,
  assertNothingLeft,
  LAN,
  type OwedLan,
  POD_MAC,
  scene,
  SERVER,
  SERVER_MAC,
} from './owed-lan.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const WHY = 'the namespace is gone';

describe('a debt is settled', () => {
  test('stored before owe returns, sent soon after, and then removed', async () => {
    const all = scene();
    const { lan, debts } = all;
    assert.equal(debts.owe({ record: lan.record(), why: WHY }), true);
    assert.deepEqual(
      [...lan.disk.values()].map(({ owner }) => owner),
      ['gone'],
    );
    assert.equal(debts.size, 1);
    assert.deepEqual(lan.releases, [], 'the network is not waited for');
    await lan.time.run(SECOND);
    assert.equal(lan.releases.length, 1);
    assertNothingLeft(all);
    assert.deepEqual(lan.journal, ['put pod', 'remove pod']);
    assert.deepEqual(
      [...lan.counts],
      [
        ['release-owed', 1],
        ['message-sent', 1],
        ['release-settled', 1],
      ],
    );
  });

  test('many go out at a gentle rate, each once', async () => {
    const all = scene();
    const { lan, debts } = all;
    for (let i = 0; i < 100; i++) debts.owe({ record: lan.record(`pod${i}`), why: WHY });
    await lan.time.run(3 * SECOND);
    assert.ok(lan.releases.length > 50 && lan.releases.length <= 60, String(lan.releases.length));
    await lan.time.run(3 * SECOND);
    assert.equal(lan.releases.length, 100);
    const gaps = lan.releases.map(({ at }, i) => at - (lan.releases[i - 1]?.at ?? -Infinity));
    assert.ok(gaps.every((gap) => gap >= 50));
    assertNothingLeft(all);
  });

  test('a store that fails stops nothing; it is logged and counted', async () => {
    const all = scene();
    const { lan, debts } = all;
    lan.storeError = new SysError('write', 'ENOSPC');
    assert.equal(debts.owe({ record: lan.record(), why: WHY }), true);
    await lan.time.run(SECOND);
    assert.equal(lan.releases.length, 1);
    assertNothingLeft(all);
    assert.equal(lan.counts.get('store-failed'), 2);
    assert.ok(lan.logged.includes('warn: a RELEASE that is owed could not be stored'));
  });

  test('nobody answers ARP: sent to all four times within a minute, and then owed until somebody does', async () => {
    const all = scene();
    const { lan, debts } = all;
    lan.hosts.clear();
    debts.owe({ record: lan.record(), why: WHY });
    await lan.time.run(SECOND);
    assert.deepEqual([lan.releases.length, debts.size, debts.list()[0]?.tries], [1, 1, 1]);
    await lan.time.run(HOUR);
    assert.deepEqual(
      lan.releases.map(({ dstMac }) => dstMac),
      Array(4).fill('ff:ff:ff:ff:ff:ff'),
    );
    assert.deepEqual([debts.size, lan.disk.size, lan.counts.get('release-settled')], [1, 1, undefined]);
    assert.match(debts.list()[0]?.why ?? '', /^nobody answers ARP/);
    lan.hosts.set(SERVER, SERVER_MAC);
    await lan.time.run(HOUR / 4);
    assert.deepEqual([lan.releases.length, lan.releases.at(-1)?.dstMac], [5, SERVER_MAC]);
    assertNothingLeft(all);
  });

  test('a server beyond the subnet and no router: nobody can be asked, so four times to all is the end', async () => {
    const all = scene();
    const { lan, debts } = all;
    const lease = lan.lease({ serverId: ipv4('10.0.0.1'), routers: [] });
    debts.owe({ record: lan.record('pod', { state: { kind: 'bound', lease } }), why: WHY });
    await lan.time.run(MINUTE);
    assert.equal(lan.releases.length, 4);
    assertNothingLeft(all);
  });

  test('a server that is back by the second try gets it once more, and that is the end', async () => {
    const all = scene();
    const { lan, debts } = all;
    lan.hosts.clear();
    debts.owe({ record: lan.record(), why: WHY });
    await lan.time.run(SECOND);
    lan.hosts.set(SERVER, SERVER_MAC);
    await lan.time.run(HOUR);
    assert.deepEqual(
      lan.releases.map(({ dstMac }) => dstMac),
      ['ff:ff:ff:ff:ff:ff', SERVER_MAC],
    );
    assertNothingLeft(all);
  });

  test('an address that was asked for but never granted is released too, from memory', async () => {
    const all = scene();
    const { lan, debts } = all;
    const { address } = lan.lease();
    const now = lan.time.now();
    const acquisition = { ...newAcquisition(now, undefined), asked: { address, serverId: SERVER } };
    debts.owe({
      record: lan.record('pod', { state: { kind: 'waiting', acquisition, until: now } }),
      why: WHY,
    });
    assert.equal(lan.disk.size, 0);
    await lan.time.run(SECOND);
    assert.equal(lan.releases[0]?.src, ADDRESS);
    assertNothingLeft(all);
  });
});

describe('a debt that cannot be settled now', () => {
  for (const [name, cut] of [
    ['the interface is missing', (lan: OwedLan): void => lan.links.clear()],
    ['no carrier', (lan: OwedLan): void => lan.setLink({ lowerUp: false })],
  ] as const) {
    test(`${name}: nothing is sent, the pauses grow to ten minutes; at once when it is back`, async () => {
      const all = scene();
      const { lan, debts } = all;
      cut(lan);
      debts.owe({ record: lan.record(), why: WHY });
      await lan.time.run(29 * SECOND);
      assert.equal(lan.looks, 1);
      await lan.time.run(2 * SECOND);
      assert.equal(lan.looks, 2);
      await lan.time.run(HOUR);
      assert.ok(lan.looks >= 8 && lan.looks <= 12, 'looks in an hour');
      assert.deepEqual([debts.size, lan.releases.length, lan.disk.size], [1, 0, 1]);
      assert.match(debts.list()[0]?.why ?? '', /eth0/);
      lan.setLink({});
      debts.linkUp(LAN.index);
      await lan.time.run(SECOND);
      assert.equal(lan.releases.length, 1);
      assertNothingLeft(all);
    });
  }

  test('it comes back without a word: the next look finds it', async () => {
    const all = scene();
    const { lan, debts } = all;
    lan.links.clear();
    debts.owe({ record: lan.record(), why: WHY });
    await lan.time.run(MINUTE);
    lan.setLink({});
    await lan.time.run(10 * MINUTE);
    assert.equal(lan.releases.length, 1);
    assertNothingLeft(all);
  });

  test('carrier lost in the middle of it: tried again when it is back', async () => {
    const all = scene();
    const { lan, debts } = all;
    debts.owe({ record: lan.record(), why: WHY });
    await lan.time.run(150);
    lan.setLink({ lowerUp: false });
    await lan.time.run(SECOND);
    assert.deepEqual([lan.releases.length, debts.size], [0, 1]);
    lan.setLink({});
    debts.linkUp(LAN.index);
    await lan.time.run(SECOND);
    assert.equal(lan.releases.length, 1);
    assertNothingLeft(all);
  });

  test('the kernel does not let itself be looked at: later', async () => {
    const all = scene();
    const { lan, debts } = all;
    lan.lookError = new SysError('look at eth0', 'EMFILE');
    debts.owe({ record: lan.record(), why: WHY });
    debts.linkUp(LAN.index);
    assert.match(debts.list()[0]?.why ?? '', /EMFILE/);
    lan.lookError = undefined;
    debts.linkUp(LAN.index);
    await lan.time.run(SECOND);
    assert.equal(lan.releases.length, 1);
    assertNothingLeft(all);
  });

  test('an uplink of the same name with another index: only where the server is seen', async () => {
    const all = scene();
    const { lan, debts } = all;
    const hosts = new Map(lan.hosts);
    lan.hosts.clear();
    lan.setLink({ index: 99 });
    debts.owe({ record: lan.record(), why: WHY });
    debts.linkUp(99);
    debts.linkUp(LAN.index);
    await lan.time.run(HOUR);
    assert.deepEqual([lan.releases.length, debts.size], [0, 1]);
    assert.match(debts.list()[0]?.why ?? '', /another interface now/);
    for (const [address, mac] of hosts) lan.hosts.set(address, mac);
    debts.linkUp(99);
    await lan.time.run(SECOND);
    assert.deepEqual([lan.releases.length, lan.releases[0]?.dstMac], [1, SERVER_MAC]);
    assertNothingLeft(all);
  });

  test('links that change all the time hurry nothing that does not wait for them', async () => {
    const { lan, debts } = scene();
    lan.hosts.clear();
    debts.owe({ record: lan.record('blind'), why: WHY });
    lan.hosts.set(ipv4('192.168.2.131'), POD_MAC);
    const still = lan.lease({ address: { address: ipv4('192.168.2.131'), prefix: 24 } });
    debts.owe({ record: lan.record('still-there', { state: { kind: 'bound', lease: still } }), why: WHY });
    for (let i = 0; i < 100; i++) {
      await lan.time.run(200);
      debts.linkUp(LAN.index);
      debts.linkUp(LAN.index + 1);
    }
    assert.deepEqual(
      debts.list().map(({ tries }) => tries),
      // Of the second one after 2, 4 and 8 s.
      [3, 4],
    );
  });
});
