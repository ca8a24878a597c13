import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Ipv4, ipv4 } from '../../src/base/ipv4.ts';
import { type Mac, mac } from '../../src/base/mac.ts';
import { instant, millis } from '../../src/base/time.ts';
import { openArp } from '../../src/kernel/arp-socket.ts';
import type { NetNs } from '../../src/kernel/netns.ts';
import { openTap } from '../../src/kernel/packet-tap.ts';
import { AddressGuard } from '../../src/lease/guard.ts';
import { Inbox } from '../../src/lease/inbox.ts';
import type { PodNamespace } from '../../src/lease/ports.ts';
import type { LeaseIdentity } from '../../src/lease/record.ts';
import { emitArpToAll } from '../../src/wire/arp.ts';
import { dhcpClientFilter } from '../../src/wire/bpf.ts';
import type { Link } from '../../src/wire/netlink/link.ts';
import { addPod, asRoot, makePair, openFds, type Pair, Sandbox, until } from './support/sandbox.ts';

const TAKEN = ipv4('192.0.2.7');
const FREE = ipv4('192.0.2.8');
const ROUTER = ipv4('192.0.2.254');
const NO_MAC = mac('00:00:00:00:00:00');
const unused = (): never => assert.fail('a guard has no use for this');

/** Of a pod's namespace, what a guard uses. */
function podOf(netns: NetNs): PodNamespace {
  return {
    inode: netns.inode,
    openArp: (index) => openArp(netns, index),
    // As if it had no other interface.
    macs: () => Promise.resolve([]),
    close: () => undefined,
    link: unused,
    sight: unused,
    follow: unused,
    setUp: unused,
    configure: unused,
    leasedAddresses: unused,
    ensureAddress: unused,
    removeAddress: unused,
    say: unused,
    openFrames: unused,
    resetConnections: unused,
    hasAddress: unused,
    holdClientPort: unused,
  };
}

const TIME = {
  clock: { now: () => instant(performance.now()), slept: () => millis(0), bootId: 'boot' },
  timers: {
    at: (at: number, callback: () => void) => {
      const timer = setTimeout(callback, Math.max(0, at - performance.now()));
      return () => clearTimeout(timer);
    },
  },
};

type Guarded = {
  readonly guard: AddressGuard;
  readonly pod: PodNamespace;
  readonly conflicts: Mac[];
  readonly counted: string[];
};

function guardOf(netns: NetNs, link: Link, inbox: Inbox, uplinkIndex?: number): Guarded {
  const pod = podOf(netns);
  const conflicts: Mac[] = [];
  const counted: string[] = [];
  const world = {
    ...TIME,
    random: () => 0,
    log: { debug: () => undefined, info: () => undefined, warn: () => undefined },
    openPod: () => pod,
    frames: { send: () => undefined, link: () => undefined },
    count: (event: string): void => void counted.push(event),
  };
  const identity = {
    bootId: 'boot',
    key: { containerId: 'pod', network: 'lan', ifname: link.name },
    netns: { path: '/run/netns/pod', inode: netns.inode },
    link: { index: link.index, mac: link.mac, owned: true },
    uplinkIndex,
  } as LeaseIdentity;
  const parts = {
    world,
    inbox,
    strangers: { areOn: async () => true },
    siblingsAsked: { take: () => false },
  };
  const guard = new AddressGuard(parts, identity, (by) => conflicts.push(by));
  return { guard, pod, conflicts, counted };
}

function deafInbox(): Inbox {
  return new Inbox(unused, () => undefined, TIME);
}

type Ears = {
  readonly inbox: Inbox;
  /** How many frames came as far as the loop. */
  readonly heard: () => number;
  /** How often the filter was changed. */
  readonly changes: () => number;
};

/** An inbox with real taps on the uplinks of the right namespace. */
function earsOf({ right }: Pair): Ears {
  let heard = 0;
  let changes = 0;
  const inbox = new Inbox(
    (index, onFrame) => {
      const tap = right.run(() => openTap(index, dhcpClientFilter()));
      tap.onFrame((frame, { checksumReady }) => {
        heard += 1;
        onFrame(frame, checksumReady);
      });
      return {
        attached: () => true,
        letIn: () => () => undefined,
        hearClaims: (addresses) => {
          changes += 1;
          tap.filter(dhcpClientFilter(addresses));
        },
        close: () => void tap.close(),
      };
    },
    () => undefined,
    TIME,
  );
  return { inbox, heard: () => heard, changes: () => changes };
}

function give(sandbox: Sandbox, suffix: string, address: Ipv4, dev: string): void {
  sandbox.ip(suffix, 'addr', 'add', `${address}/24`, 'dev', dev);
}

test('before: a squatter on the LAN is found, a free address is free', asRoot, async () => {
  await using sandbox = new Sandbox('guard');
  const pair = await makePair(sandbox);
  give(sandbox, 'left', TAKEN, 'v0');
  const { netns, link } = await addPod(sandbox, pair, 'pod');
  const before = openFds();
  const { guard, pod, counted } = guardOf(netns, link, deafInbox());
  assert.deepEqual(await guard.check(pod, TAKEN), { conflict: pair.leftLink.mac });
  assert.equal(await guard.check(pod, FREE), 'free');
  assert.deepEqual(counted, ['conflict-found', 'conflict-check-clear']);
  await until('no descriptor is left', () => openFds() === before);
});

test('before: siblings of one macvlan parent find each other', asRoot, async () => {
  await using sandbox = new Sandbox('guard');
  const pair = await makePair(sandbox);
  const one = await addPod(sandbox, pair, 'one');
  const two = await addPod(sandbox, pair, 'two');
  give(sandbox, 'one', TAKEN, 'eth0');
  const second = guardOf(two.netns, two.link, deafInbox());
  assert.deepEqual(await second.guard.check(second.pod, TAKEN), { conflict: one.link.mac });
  assert.equal(await second.guard.check(second.pod, FREE), 'free');
});

test('before: of two siblings that look at the same time one at most gets it', asRoot, async () => {
  await using sandbox = new Sandbox('guard');
  const pair = await makePair(sandbox);
  const one = await addPod(sandbox, pair, 'one');
  const two = await addPod(sandbox, pair, 'two');
  const first = guardOf(one.netns, one.link, deafInbox());
  const second = guardOf(two.netns, two.link, deafInbox());
  const found = await Promise.all([first.guard.check(first.pod, FREE), second.guard.check(second.pod, FREE)]);
  // The probe of the first may be out before the second listens; then the first hears the second.
  assert.ok(found.some((checked) => checked !== 'free'));
});

test('an address in use is defended on the LAN, and given up to who insists', asRoot, async () => {
  await using sandbox = new Sandbox('guard');
  const pair = await makePair(sandbox);
  const { netns, link } = await addPod(sandbox, pair, 'pod');
  give(sandbox, 'pod', TAKEN, 'eth0');
  const uplink = pair.rightLink.index;
  const { inbox } = earsOf(pair);
  inbox.listen(uplink);
  try {
    const { guard, conflicts, counted } = guardOf(netns, link, inbox, uplink);
    guard.watch(TAKEN, { probe: false });
    await using listener = openArp(pair.left, pair.leftLink.index);
    const heard: string[] = [];
    listener.onPacket(({ senderMac, senderIp, targetIp }) =>
      heard.push(`${senderMac} ${senderIp} ${targetIp}`),
    );
    const { mac: thief } = pair.leftLink;
    assert.ok(thief !== undefined);
    const claim = {
      op: 'request',
      senderMac: thief,
      senderIp: TAKEN,
      targetMac: thief,
      targetIp: TAKEN,
    } as const;
    listener.send(claim);
    await until('the defence is heard on the LAN', () => heard.includes(`${link.mac} ${TAKEN} ${TAKEN}`));
    assert.deepEqual([conflicts, counted], [[], ['address-defended']]);
    listener.send(claim);
    await until('it is given up', () => conflicts.length > 0);
    assert.deepEqual(conflicts, [thief]);
  } finally {
    inbox.close();
  }
});

/** What the kernel of a host asks that has one of the two addresses and looks for the other. */
function question(senderMac: Mac, senderIp: Ipv4, targetIp: Ipv4): Uint8Array {
  return emitArpToAll({ op: 'request', senderMac, senderIp, targetMac: NO_MAC, targetIp });
}

test(
  'who only asks for others with a leased address is noticed; the rest of the LAN wakes nobody',
  asRoot,
  async () => {
    await using sandbox = new Sandbox('claims');
    const pair = await makePair(sandbox);
    const { netns, link } = await addPod(sandbox, pair, 'pod');
    give(sandbox, 'pod', TAKEN, 'eth0');
    const { inbox, heard, changes } = earsOf(pair);
    const uplink = pair.rightLink.index;
    inbox.listen(uplink);
    try {
      const { guard, conflicts, counted } = guardOf(netns, link, inbox, uplink);
      guard.watch(TAKEN, { probe: false });
      await until('the filter knows the address', () => changes() === 1);
      const { mac: thief } = pair.leftLink;
      assert.ok(thief !== undefined);
      await using lan = pair.left.run(() => openTap(pair.leftLink.index, dhcpClientFilter()));
      const before = heard();
      for (let host = 1; host < 254; host++) {
        const address = ipv4(`192.0.2.${host}`);
        if (address !== TAKEN) assert.equal(lan.send(question(thief, address, ROUTER)), undefined);
      }
      assert.equal(lan.send(question(thief, TAKEN, ROUTER)), undefined);
      await until('the address is defended', () => counted.includes('address-defended'));
      // In the order of the wire: what came before it would have been heard before it.
      assert.equal(heard() - before, 1, 'of 253 questions');
      assert.deepEqual(conflicts, []);
      lan.send(question(thief, TAKEN, ROUTER));
      await until('it is given up', () => conflicts.length > 0);
      assert.deepEqual([conflicts, heard() - before], [[thief], 2]);
    } finally {
      inbox.close();
    }
  },
);
