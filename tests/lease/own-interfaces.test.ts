import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { mac } from '../../src/base/mac.ts';
import { announcement, probe } from '../../src/protocol/acd4/packets.ts';
import { ArpLan, OWN } from './support/arp.ts';

const ADDRESS = ipv4('192.168.1.50');
const NEXT = ipv4('192.168.1.51');
const OTHER = mac('02:00:5e:10:00:02');
/** Of another interface of the same pod. */
const SECOND = mac('02:00:5e:10:00:03');
const NOTHING = { ports: 0, handles: 0, timers: 0 };
/** Longer than RFC 5227's probing ever takes. */
const PROBED_MS = 8000;

describe('another interface of the pod on the same LAN (RFC 5227 2.4: any of its own)', () => {
  const says = { ...announcement(ADDRESS, SECOND), targetIp: NEXT };

  test('is no other host, however often it is heard, and is looked for once', async () => {
    const lan = new ArpLan();
    lan.interfaces = [OWN, SECOND];
    lan.guard().watch(ADDRESS, { probe: false });
    for (let times = 0; times < 3; times++) {
      lan.hearOnTap(says);
      await lan.time.run(10);
    }
    assert.deepEqual([lan.sent, lan.conflicts, lan.looks, lan.left], [[], [], 1, NOTHING]);
    assert.deepEqual(new Set(lan.counted), new Set(['claim-of-own-interface']));
    lan.hearOnTap(announcement(ADDRESS, OTHER));
    await lan.time.run(2000);
    lan.hearOnTap(announcement(ADDRESS, OTHER));
    await lan.time.run(1);
    assert.deepEqual(lan.sent, [`2030 announce ${ADDRESS}`], 'another one is');
  });

  test('is none while it is probed for, and before it is used', async () => {
    const lan = new ArpLan();
    lan.interfaces = [OWN, SECOND];
    const guard = lan.guard();
    const pod = lan.openPod();
    const found = guard.check(pod, ADDRESS);
    lan.hearOnPorts(says);
    lan.hearOnPorts(probe(ADDRESS, SECOND));
    assert.equal(await lan.time.until(found), 'free');
    pod.close();
    guard.watch(ADDRESS, { probe: true });
    await lan.time.run(3000);
    lan.hearOnPorts(says);
    await lan.time.run(PROBED_MS);
    assert.deepEqual([lan.conflicts, lan.left], [[], NOTHING]);
  });

  test('that changes its MAC address all the time has nobody look all the time', async () => {
    const lan = new ArpLan();
    lan.guard().watch(ADDRESS, { probe: false });
    for (let at = 0; at < 100; at++) {
      const now = mac(`02:00:5e:20:00:${at.toString(16).padStart(2, '0')}`);
      lan.interfaces = [OWN, now];
      lan.hearOnTap({ ...says, senderMac: now });
      await lan.time.run(20);
    }
    assert.deepEqual([lan.sent, lan.conflicts, lan.looks], [[], [], 2]);
  });

  test('a flood of claims is looked at one by one', async () => {
    const lan = new ArpLan();
    lan.interfaces = [OWN, SECOND];
    lan.guard().watch(ADDRESS, { probe: false });
    for (let times = 0; times < 100; times++) lan.hearOnTap(says);
    await lan.time.run(1);
    assert.deepEqual([lan.conflicts, lan.looks, lan.left], [[], 1, NOTHING]);
  });
});
