import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ipv4 } from '../../src/base/ipv4.ts';
import { instant } from '../../src/base/time.ts';
import { holdClientPort } from '../../src/kernel/client-port.ts';
import { lockFile } from '../../src/kernel/file-lock.ts';
import { watchRemoval } from '../../src/kernel/link-removal.ts';
import { watchLinks } from '../../src/kernel/link-watch.ts';
import { NetNs } from '../../src/kernel/netns.ts';
import { openTap } from '../../src/kernel/packet-tap.ts';
import { openPodFrames } from '../../src/kernel/pod-frames.ts';
import { Rtnl } from '../../src/kernel/rtnl.ts';
import { sdNotify } from '../../src/kernel/sd-notify.ts';
import { openTimers } from '../../src/kernel/timers.ts';
import { asRoot, makePair, openFds, Sandbox, until } from './support/sandbox.ts';

const CYCLES = 200;
const ADDRESS = ipv4('10.9.0.2');
const NOBODYS = ipv4('10.9.0.99');
/** linux/filter.h: BPF_RET | BPF_K with 0, which takes nothing. */
const DROP_ALL = Uint8Array.of(0x06, 0, 0, 0, 0, 0, 0, 0);

test('everything that is opened and closed two hundred times leaves no descriptor', asRoot, async () => {
  await using sandbox = new Sandbox('leaks');
  const { leftLink } = await makePair(sandbox);
  sandbox.ip('left', 'addr', 'add', `${ADDRESS}/24`, 'dev', 'v0');
  const path = sandbox.path('left');
  const folder = mkdtempSync(join(tmpdir(), 'lh-leaks-'));
  const cycle = async (): Promise<void> => {
    using netns = NetNs.open(path);
    await using rtnl = Rtnl.open(netns);
    await rtnl.links.get('v0');
    const held = holdClientPort(netns, leftLink.index, ADDRESS);
    assert.throws(() => holdClientPort(netns, leftLink.index, ADDRESS), { code: 'EADDRINUSE' });
    held.end();
    holdClientPort(netns, leftLink.index, NOBODYS).end();
    await using frames = openPodFrames(netns, leftLink.index);
    frames.onFrame(() => undefined);
    assert.throws(() => openPodFrames(netns, 4711));
    watchRemoval(leftLink.index, netns).close();
    await using tap = netns.run(() => openTap(leftLink.index, DROP_ALL));
    tap.onFrame(() => undefined);
    assert.throws(() => netns.run(() => openTap(4711, DROP_ALL)));
    using timers = openTimers();
    timers.at(instant(Number.POSITIVE_INFINITY), () => undefined);
    netns
      .run(() =>
        watchLinks(
          () => undefined,
          () => undefined,
        ),
      )
      .close();
    const lock = lockFile(join(folder, 'lock'));
    assert.ok(lock.ok && !lockFile(join(folder, 'lock')).ok);
    lock.value.release();
    sdNotify('READY=1', '/nowhere');
  };
  try {
    await cycle();
    const before = openFds();
    // Eight side by side: closing a tap waits for the kernel.
    for (let i = 0; i < CYCLES; i += 8) {
      await Promise.all(
        Array.from({ length: 8 }, (_, k) => (k === 0 ? cycle() : cycleWithoutLock(path, leftLink.index))),
      );
    }
    await until('no descriptor is left', () => openFds() <= before);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

async function cycleWithoutLock(path: string, index: number): Promise<void> {
  using netns = NetNs.open(path);
  await using rtnl = Rtnl.open(netns);
  await rtnl.links.list();
  await using frames = openPodFrames(netns, index);
  frames.onFrame(() => undefined);
  await using tap = netns.run(() => openTap(index, DROP_ALL));
  tap.onFrame(() => undefined);
}
