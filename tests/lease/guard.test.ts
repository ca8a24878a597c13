import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { mac } from '../../src/base/mac.ts';
import { SysError } from '../../src/base/sys-error.ts';
import { announcement, probe } from '../../src/protocol/acd4/packets.ts';
import { ArpLan, OWN } from './support/arp.ts';

const ADDRESS = ipv4('192.168.1.50');
const NEXT = ipv4('192.168.1.51');
const OTHER = mac('02:00:5e:10:00:02');
const NOTHING = { ports: 0, handles: 0, timers: 0 };
/** Longer than RFC 5227's probing ever takes. */
const PROBED_MS = 8000;

describe('check', () => {
  test('finds who has the address', async () => {
    const lan = new ArpLan();
    lan.owners.set(ADDRESS, OTHER);
    const pod = lan.openPod();
    const found = await lan.time.until(lan.guard().check(pod, ADDRESS));
    assert.deepEqual(found, { conflict: OTHER });
    assert.deepEqual(lan.conflicts, [], 'who asked is told, nobody else');
    pod.close();
    await lan.time.run(1);
    assert.deepEqual(lan.left, NOTHING);
  });

  test('takes 300 ms to find an address free', async () => {
    const lan = new ArpLan();
    const pod = lan.openPod();
    const from = lan.time.now();
    assert.equal(await lan.time.until(lan.guard().check(pod, ADDRESS)), 'free');
    assert.equal(lan.time.now() - from, 300);
    assert.deepEqual(
      lan.sent,
      [0, 100, 200].map((ms) => `${ms} probe ${ADDRESS}`),
    );
    assert.deepEqual(lan.sentByUplink, lan.sent, 'and from the uplink too');
    pod.close();
    assert.deepEqual(lan.left, NOTHING);
  });

  test('hears the tap too', async () => {
    const lan = new ArpLan();
    const pod = lan.openPod();
    const found = lan.guard().check(pod, ADDRESS);
    lan.hearOnTap(probe(ADDRESS, OTHER));
    assert.deepEqual(await found, { conflict: OTHER });
    pod.close();
    assert.deepEqual(lan.left, NOTHING);
  });

  for (const [how, stop] of [
    ['its signal', (abort: () => void) => abort()],
    ['the end', (_: () => void, end: () => void) => end()],
    ['the next address', (_: () => void, __: () => void, next: () => void) => next()],
  ] as const) {
    test(`is ended by ${how}`, async () => {
      const lan = new ArpLan();
      const guard = lan.guard();
      const controller = new AbortController();
      const pod = lan.openPod();
      const found = guard.check(pod, ADDRESS, controller.signal);
      stop(
        () => controller.abort(),
        () => guard.end(),
        () => guard.watch(NEXT, { probe: false }),
      );
      assert.equal(await found, 'free');
      pod.close();
      assert.deepEqual(lan.left, NOTHING);
    });
  }

  test('does not begin when the signal was there first', async () => {
    const lan = new ArpLan();
    const pod = lan.openPod();
    assert.equal(await lan.guard().check(pod, ADDRESS, AbortSignal.abort()), 'free');
    pod.close();
    assert.deepEqual([lan.sent, lan.left], [[], NOTHING]);
  });

  for (const [what, breakIt] of [
    ['the interface is gone', (lan: ArpLan) => (lan.openError = new SysError('open ARP', 'ENODEV'))],
    ['the port is broken in any way', (lan: ArpLan) => (lan.openError = new TypeError('broken'))],
    ['nothing can be sent', (lan: ArpLan) => (lan.sendError = new SysError('send', 'ENETDOWN'))],
    ['nothing can be heard', (lan: ArpLan) => (lan.deafPort = true)],
  ] as const) {
    test(`finds no conflict when ${what}, counts it and leaves nothing open`, async () => {
      const lan = new ArpLan();
      breakIt(lan);
      lan.owners.set(ADDRESS, OTHER);
      const pod = lan.openPod();
      assert.equal(await lan.time.until(lan.guardWithoutUplink().check(pod, ADDRESS)), 'free');
      assert.equal(lan.counted.filter((event) => event.startsWith('arp-failed:')).length, 3);
      pod.close();
      assert.deepEqual(lan.left, NOTHING);
    });

    test(`finds it from the uplink when ${what}, and leaves nothing open`, async () => {
      const lan = new ArpLan();
      breakIt(lan);
      lan.owners.set(ADDRESS, OTHER);
      const pod = lan.openPod();
      assert.deepEqual(await lan.time.until(lan.guard().check(pod, ADDRESS)), { conflict: OTHER });
      assert.deepEqual([lan.sentByUplink, lan.sent], [[`0 probe ${ADDRESS}`], []]);
      pod.close();
      assert.deepEqual(lan.left, NOTHING);
    });
  }
});

describe('watch with probes', () => {
  test('tells who has the address, once', async () => {
    const lan = new ArpLan();
    lan.owners.set(ADDRESS, OTHER);
    lan.guard().watch(ADDRESS, { probe: true });
    await lan.time.run(PROBED_MS);
    lan.hearOnTap(announcement(ADDRESS, OTHER));
    assert.deepEqual(lan.conflicts, [OTHER]);
    assert.deepEqual(lan.sent, [`500 probe ${ADDRESS}`]);
    assert.deepEqual(lan.left, NOTHING);
  });

  test('announces a free address twice, and then costs nothing', async () => {
    const lan = new ArpLan();
    lan.guard().watch(ADDRESS, { probe: true });
    await lan.time.run(PROBED_MS);
    assert.deepEqual(lan.sent, [
      ...[500, 2000, 3500].map((ms) => `${ms} probe ${ADDRESS}`),
      `5500 announce ${ADDRESS}`,
      `7500 announce ${ADDRESS}`,
    ]);
    assert.deepEqual([lan.conflicts, lan.left], [[], NOTHING]);
  });

  test('announces nothing where whoever put the address on does that', async () => {
    const lan = new ArpLan();
    lan.guard().watch(ADDRESS, { probe: true, announced: true });
    await lan.time.run(PROBED_MS);
    assert.deepEqual(
      lan.sent,
      [500, 2000, 3500].map((ms) => `${ms} probe ${ADDRESS}`),
    );
    assert.deepEqual([lan.counted, lan.left], [['conflict-check-clear'], NOTHING]);
  });

  test('has no port before its first probe', () => {
    const lan = new ArpLan();
    lan.guard().watch(ADDRESS, { probe: true });
    assert.deepEqual(lan.left, { ports: 0, handles: 0, timers: 1 });
  });

  test('ends with everything that it had open', async () => {
    const lan = new ArpLan();
    const guard = lan.guard();
    guard.watch(ADDRESS, { probe: true });
    await lan.time.run(600);
    assert.deepEqual(lan.left, { ports: 1, handles: 0, timers: 1 });
    guard.end();
    guard.end();
    assert.deepEqual(lan.left, NOTHING);
    lan.hearOnTap(announcement(ADDRESS, OTHER));
    assert.deepEqual(lan.conflicts, []);
  });

  test('goes on when the pod disappears in the middle, or another is in its place', async () => {
    const lan = new ArpLan();
    lan.guard().watch(ADDRESS, { probe: true });
    await lan.time.run(600);
    lan.sendError = new SysError('send', 'ENXIO');
    await lan.time.run(1500);
    assert.equal(lan.ports.size, 0, 'what fails is not kept');
    lan.inode = '4026539999';
    lan.sendError = undefined;
    await lan.time.run(PROBED_MS);
    assert.deepEqual(
      lan.counted.filter((event) => event.startsWith('arp-failed')),
      ['arp-failed:ENXIO', 'arp-failed:ENOENT', 'arp-failed:ENOENT', 'arp-failed:ENOENT'],
    );
    assert.deepEqual([lan.conflicts, lan.left], [[], NOTHING]);
  });

  test('is deaf to a port that was closed', async () => {
    const lan = new ArpLan();
    const guard = lan.guard();
    guard.watch(ADDRESS, { probe: true });
    await lan.time.run(600);
    const [port] = lan.ports;
    guard.watch(NEXT, { probe: false });
    port?.hear(announcement(ADDRESS, OTHER));
    port?.hear(announcement(NEXT, OTHER));
    assert.deepEqual(lan.conflicts, []);
  });
});

/** An uplink whose macvlans are all of this daemon. */
function known(siblingsAsked: number): ArpLan {
  const lan = new ArpLan();
  lan.strangers = false;
  lan.siblingsAsked = siblingsAsked;
  return lan;
}

/** Somebody put the address on in a pod: it hears what other pods send, and nothing of the uplink. */
function putOnByHand(lan: ArpLan): void {
  lan.owners.set(ADDRESS, OTHER);
  lan.deafUplink = true;
}

describe('where all macvlans of the uplink are of this daemon', () => {
  test('siblings are asked once before an address is used', async () => {
    const lan = known(0);
    const pod = lan.openPod();
    assert.equal(await lan.time.until(lan.guard().check(pod, ADDRESS)), 'free');
    assert.deepEqual(lan.sent, [`0 probe ${ADDRESS}`]);
    assert.equal(lan.sentByUplink.length, 3);
    pod.close();
    assert.deepEqual(lan.left, NOTHING);
  });

  test('one of them that has it is found', async () => {
    const lan = known(0);
    putOnByHand(lan);
    const pod = lan.openPod();
    assert.deepEqual(await lan.time.until(lan.guard().check(pod, ADDRESS)), { conflict: OTHER });
    pod.close();
    assert.deepEqual(lan.left, NOTHING);
  });

  test('the same in the background, once, when there is room for it', async () => {
    const lan = known(1);
    putOnByHand(lan);
    lan.guard().watch(ADDRESS, { probe: true });
    await lan.time.run(PROBED_MS);
    assert.deepEqual([lan.sent, lan.conflicts], [[`500 probe ${ADDRESS}`], [OTHER]]);
    assert.deepEqual(lan.left, NOTHING);
  });

  test('room that comes later is used, and not more than once', async () => {
    const lan = known(0);
    lan.guard().watch(ADDRESS, { probe: true });
    await lan.time.run(600);
    lan.siblingsAsked = 5;
    await lan.time.run(PROBED_MS);
    assert.deepEqual(lan.sent, [`2000 probe ${ADDRESS}`]);
    assert.deepEqual(lan.left, NOTHING);
  });

  test('those of others that leave meanwhile leave no port open', async () => {
    const lan = known(0);
    lan.strangers = true;
    lan.guard().watch(ADDRESS, { probe: true });
    await lan.time.run(600);
    lan.strangers = false;
    await lan.time.run(PROBED_MS);
    assert.deepEqual([lan.sent, lan.left], [[`500 probe ${ADDRESS}`], NOTHING]);
  });

  test('in a burst the uplink alone is asked', async () => {
    const lan = known(0);
    lan.guard().watch(ADDRESS, { probe: true });
    await lan.time.run(PROBED_MS);
    assert.deepEqual([lan.sent, lan.left], [[], NOTHING]);
    assert.equal(lan.sentByUplink.length, 5);
  });
});

describe('watch', () => {
  test('costs neither timer nor descriptor, and defends the address once', async () => {
    const lan = new ArpLan();
    lan.guard().watch(ADDRESS, { probe: false });
    assert.deepEqual(lan.left, NOTHING);
    lan.hearOnTap(announcement(ADDRESS, OTHER));
    await lan.time.run(9000);
    assert.deepEqual(lan.sent, [`0 announce ${ADDRESS}`]);
    assert.deepEqual([lan.conflicts, lan.left], [[], NOTHING]);
    lan.hearOnTap(announcement(ADDRESS, OTHER));
    await lan.time.run(1);
    assert.deepEqual([lan.conflicts, lan.left], [[OTHER], NOTHING]);
    assert.deepEqual(lan.counted, ['address-defended', 'conflict-found']);
  });

  test('does not mind what a defence meets', async () => {
    const lan = new ArpLan();
    lan.inode = '4026539999';
    lan.guard().watch(ADDRESS, { probe: false });
    lan.hearOnTap(announcement(ADDRESS, OTHER));
    await lan.time.run(1);
    assert.deepEqual(lan.counted, ['own-interfaces-unseen', 'arp-failed:ENOENT', 'address-defended']);
    assert.deepEqual(lan.left, NOTHING);
  });

  test('our own packets that come back, and probes of others, mean nothing', async () => {
    const lan = new ArpLan();
    lan.guard().watch(ADDRESS, { probe: false });
    lan.hearOnTap(announcement(ADDRESS, OWN));
    lan.hearOnTap(probe(ADDRESS, OTHER));
    await lan.time.run(1);
    assert.deepEqual([lan.sent, lan.conflicts, lan.looks], [[], [], 0]);
  });

  test('the same address behind another uplink is no conflict; without an uplink no tap is heard', async () => {
    for (const uplink of [3, undefined]) {
      const lan = new ArpLan();
      const guard = uplink === undefined ? lan.guardWithoutUplink() : lan.guard(uplink);
      guard.watch(ADDRESS, { probe: false });
      lan.hearOnTap(announcement(ADDRESS, OTHER));
      await lan.time.run(1);
      assert.deepEqual([lan.sent, lan.conflicts], [[], []]);
    }
  });

  for (const probed of [true, false])
    test(`without an uplink the pod listens, defends and gives up${probed ? ', after its probes' : ''}`, async () => {
      const lan = new ArpLan();
      lan.guardWithoutUplink().watch(ADDRESS, { probe: probed });
      if (probed) await lan.time.run(PROBED_MS);
      assert.deepEqual(lan.left, { ports: 1, handles: 0, timers: 0 });
      const before = lan.sent.length;
      lan.hearOnPorts({ ...announcement(ADDRESS, OTHER), targetIp: NEXT });
      await lan.time.run(1);
      assert.equal(lan.sent.length, before + 1, 'defended');
      assert.deepEqual(lan.conflicts, []);
      lan.hearOnPorts({ ...announcement(ADDRESS, OTHER), targetIp: NEXT });
      await lan.time.run(1);
      assert.deepEqual([lan.conflicts, lan.left], [[OTHER], NOTHING]);
    });

  test('without an uplink a pod that could not send listens after its probes, and nothing is left at the end', async () => {
    const lan = new ArpLan();
    const guard = lan.guardWithoutUplink();
    lan.sendError = new SysError('send', 'ENETDOWN');
    guard.watch(ADDRESS, { probe: true, announced: true });
    await lan.time.run(PROBED_MS);
    assert.equal(lan.ports.size, 1);
    guard.end();
    lan.openError = new SysError('open ARP', 'ENODEV');
    guard.watch(ADDRESS, { probe: false });
    guard.end();
    assert.deepEqual(lan.left, NOTHING);
  });

  test('a new address may be watched from within the callback', async () => {
    const lan = new ArpLan();
    const guard = lan.guard();
    lan.onConflict = () => guard.watch(NEXT, { probe: true });
    lan.owners.set(ADDRESS, OTHER);
    guard.watch(ADDRESS, { probe: true });
    await lan.time.run(PROBED_MS * 2);
    assert.deepEqual(lan.conflicts, [OTHER]);
    assert.equal(lan.sent.at(-1)?.endsWith(`announce ${NEXT}`), true);
    assert.deepEqual(lan.left, NOTHING);
  });
});
