import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { mac } from '../../src/base/mac.ts';
import { later, millis } from '../../src/base/time.ts';
import type { LeaseRecord } from '../../src/lease/record.ts';
import { ADDRESS, assertNothingLeft, LEASE_TIME, OwedLan, POD_MAC, scene } from './owed-lan.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const WHY = 'the namespace is gone';

function infinite(lan: OwedLan): LeaseRecord {
  return lan.record('pod', { state: { kind: 'bound', lease: lan.lease({ times: undefined }) } });
}

describe('a debt is given up', () => {
  test('when the lease has ended', async () => {
    const all = scene();
    const { lan, debts } = all;
    lan.links.clear();
    debts.owe({ record: lan.record(), why: WHY });
    await lan.time.run(LEASE_TIME - 1);
    assert.equal(debts.size, 1);
    await lan.time.run(1);
    assertNothingLeft(all);
    assert.equal(lan.counts.get('release-abandoned'), 1);
    assert.ok(lan.logged.includes('warn: a RELEASE that is owed is given up: its time has passed'));
  });

  test('at once, and without a packet, when it had ended before', async () => {
    const all = scene();
    const { lan, debts } = all;
    const record = lan.record();
    await lan.time.run(LEASE_TIME);
    debts.owe({ record, why: WHY });
    await lan.time.run(SECOND);
    assertNothingLeft(all);
    assert.deepEqual([lan.questions, lan.releases], [[], []]);
  });

  test('an infinite lease after a day', async () => {
    const all = scene();
    const { lan, debts } = all;
    lan.links.clear();
    debts.owe({ record: infinite(lan), why: WHY });
    await lan.time.run(24 * HOUR - 1);
    assert.equal(debts.size, 1);
    await lan.time.run(1);
    assertNothingLeft(all);
  });

  test('of an earlier boot: its whole length after it was taken up, whatever its instants say', async () => {
    const lan = new OwedLan('boot-2');
    const all = scene({ lan });
    lan.links.clear();
    const record = lan.record('pod', { bootId: 'boot-1', owner: 'gone' });
    await lan.time.run(3 * LEASE_TIME);
    all.debts.resume(record);
    await lan.time.run(LEASE_TIME - 1);
    assert.equal(all.debts.size, 1);
    await lan.time.run(1);
    assertNothingLeft(all);
  });

  test('the oldest, when there are too many', async () => {
    const { lan, debts } = scene({ most: 2 });
    lan.links.clear();
    for (const name of ['a', 'b', 'c']) debts.owe({ record: lan.record(name), why: WHY });
    await lan.time.run(0);
    assert.deepEqual(
      debts.list().map(({ record }) => record.key.containerId),
      ['b', 'c'],
    );
    assert.deepEqual([...lan.disk.keys()], ['b/lan/eth0', 'c/lan/eth0']);
    assert.equal(lan.counts.get('release-dropped'), 1);
  });

  test('at once without a LAN to send to, or without a lease', () => {
    const { lan, debts } = scene();
    assert.equal(debts.owe({ record: lan.record('pod', { lan: undefined }), why: WHY }), false);
    assert.equal(lan.counts.get('release-lost'), 1);
    assert.equal(
      debts.owe({ record: lan.record('pod', { state: { kind: 'init', last: ADDRESS } }), why: WHY }),
      false,
    );
    assert.equal(lan.counts.get('release-lost'), 1);
    assert.deepEqual([debts.size, lan.journal, lan.time.pending], [0, [], 0]);
  });
});

describe('a debt is dropped when the lease is somebody’s', () => {
  test('a pod of this node has it: logged, counted, no packet', async () => {
    const all = scene();
    const { lan, debts, inUse } = all;
    debts.owe({ record: lan.record(), why: WHY });
    inUse.add('pod');
    await lan.time.run(SECOND);
    assertNothingLeft(all);
    assert.deepEqual([lan.questions, lan.releases], [[], []]);
    assert.equal(lan.counts.get('release-unneeded'), 1);
    const text = 'warn: a lease is not released: somebody has its address or identity';
    assert.ok(lan.logged.includes(text));
  });

  test('another machine of the LAN has the address', async () => {
    const all = scene();
    const { lan, debts } = all;
    lan.hosts.set(ADDRESS, mac('02:00:5e:20:00:09'));
    debts.owe({ record: lan.record(), why: WHY });
    await lan.time.run(SECOND);
    assertNothingLeft(all);
    assert.deepEqual([lan.releases, lan.counts.get('release-unneeded')], [[], 1]);
  });

  test('its own link still answers: waits until that is gone', async () => {
    const all = scene();
    const { lan, debts } = all;
    lan.hosts.set(ADDRESS, POD_MAC);
    debts.owe({ record: lan.record(), why: WHY });
    await lan.time.run(SECOND);
    assert.deepEqual([lan.releases, debts.size], [[], 1]);
    lan.hosts.delete(ADDRESS);
    await lan.time.run(MINUTE);
    assert.equal(lan.releases.length, 1);
    assertNothingLeft(all);
  });

  test('its link lives on in another namespace: said at the second look, and released when that is gone', async () => {
    const all = scene();
    const { lan, debts } = all;
    const said = 'warn: a lease is not released: the interface of a pod that is gone lives on';
    lan.children.add(POD_MAC);
    debts.owe({ record: lan.record(), why: WHY });
    await lan.time.run(SECOND);
    assert.deepEqual([lan.releases, debts.size, lan.logged.includes(said)], [[], 1, false]);
    assert.match(debts.list()[0]?.why ?? '', /is still up on eth0/);
    await lan.time.run(MINUTE);
    assert.deepEqual(lan.logged.filter((text) => text === said).length, 1);
    assert.deepEqual([lan.releases, lan.counts.get('link-outlives-pod')], [[], 1]);
    lan.children.clear();
    await lan.time.run(2 * MINUTE);
    assert.equal(lan.releases.length, 1);
    assertNothingLeft(all);
  });

  for (const [when, ms] of [
    ['at once', 0],
    ['while the LAN is asked', 150],
  ] as const) {
    test(`forgotten ${when}: no packet, and nothing is written behind a new record’s back`, async () => {
      const all = scene();
      const { lan, debts } = all;
      const record = lan.record();
      debts.owe({ record, why: WHY });
      await lan.time.run(ms);
      await debts.forget(record.key);
      await lan.time.run(10);
      assertNothingLeft(all);
      await lan.store.put(record);
      await lan.time.run(HOUR);
      assert.deepEqual([lan.releases, lan.disk.size, lan.journal.at(-1)], [[], 1, 'put pod']);
    });
  }

  test('forget waits for a removal that is under way; to forget what is not owed is nothing', async () => {
    const { lan, debts } = scene();
    const record = lan.record();
    lan.time.at(lan.time.now(), () => undefined);
    const removal = Promise.withResolvers<void>();
    lan.store.remove = () => removal.promise;
    debts.owe({ record, why: WHY });
    await lan.time.run(SECOND);
    assert.equal(debts.size, 0);
    let forgotten = false;
    const done = debts.forget(record.key).then(() => (forgotten = true));
    await lan.time.run(SECOND);
    assert.equal(forgotten, false);
    removal.resolve();
    await done;
    await debts.forget({ containerId: 'nobody', network: 'lan', ifname: 'eth0' });
  });
});

describe('debts across runs', () => {
  test('resume takes up what is on disk without writing it again', async () => {
    const first = scene();
    first.lan.links.clear();
    first.debts.owe({ record: first.lan.record(), why: WHY });
    await first.debts.close();
    assert.deepEqual([first.lan.disk.size, first.lan.time.pending, first.debts.size], [1, 0, 0]);

    const again = scene({ lan: first.lan });
    first.lan.setLink({});
    for (const record of first.lan.disk.values()) again.debts.resume(record);
    await first.lan.time.run(SECOND);
    assert.equal(first.lan.releases.length, 1);
    assert.deepEqual(first.lan.journal, ['put pod', 'remove pod']);
    assertNothingLeft(again);
  });

  test('after a reboot the name of the interface leads to it, by linkUp too', async () => {
    const lan = new OwedLan('boot-2');
    const all = scene({ lan });
    lan.links.clear();
    for (const name of ['a', 'b']) all.debts.resume(lan.record(name, { bootId: 'boot-1', owner: 'gone' }));
    await lan.time.run(SECOND);
    lan.setLink({ index: 3 });
    all.debts.linkUp(3);
    await lan.time.run(SECOND);
    assert.equal(lan.releases.length, 2);
    assertNothingLeft(all);
  });

  test('a stored record that nothing can be done for is removed', async () => {
    const all = scene();
    const { lan, debts } = all;
    const record = lan.record('pod', { lan: undefined, owner: 'gone' });
    await lan.store.put(record);
    debts.resume(record);
    await lan.time.run(0);
    assertNothingLeft(all);
    assert.equal(lan.counts.get('release-lost'), 1);
  });

  test('owed twice: the later record counts, and is released once', async () => {
    const all = scene();
    const { lan, debts } = all;
    debts.owe({ record: lan.record(), why: WHY });
    const other = lan.lease({ address: { address: ipv4('192.168.2.140'), prefix: 24 } });
    debts.owe({ record: lan.record('pod', { state: { kind: 'bound', lease: other } }), why: WHY });
    await lan.time.run(SECOND);
    assert.deepEqual(
      lan.releases.map(({ src }) => src),
      ['192.168.2.140'],
    );
    assertNothingLeft(all);
  });

  test('close in the middle of everything: nothing is sent, the records stay', async () => {
    const { lan, debts } = scene();
    for (const name of ['trying', 'queued']) debts.owe({ record: lan.record(name), why: WHY });
    await lan.time.run(20);
    await debts.close();
    assert.equal(debts.owe({ record: lan.record('late'), why: WHY }), true);
    await lan.time.run(HOUR);
    assert.deepEqual([lan.releases.length, lan.disk.size, lan.time.pending, lan.watched], [0, 3, 0, 0]);
  });

  test('a bug in one try does not end the others', async () => {
    const all = scene();
    const { lan, debts } = all;
    lan.listenError = new TypeError('a bug');
    lan.time.at(later(lan.time.now(), millis(10)), () => (lan.listenError = undefined));
    for (const name of ['a', 'b']) debts.owe({ record: lan.record(name), why: WHY });
    await lan.time.run(SECOND);
    assert.deepEqual([lan.releases.length, debts.size, lan.counts.get('release-failed')], [1, 1, 1]);
    await lan.time.run(MINUTE);
    assertNothingLeft(all);
  });
});
