import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { Seen } from '../../bench/capture.ts';
import { latenessIn, type Due } from '../../bench/lateness.ts';
import type { LoopSeen } from '../../bench/loop-probe.ts';
import type { Disturbance, Disturbed } from '../../bench/measure-disturbance.ts';
import { disturbanceGoals } from '../../bench/report-disturbance.ts';
import { type Mac, mac } from '../../src/base/mac.ts';
import { run } from '../../src/lab/process.ts';
import { DHCP_MESSAGE_TYPE } from '../../src/wire/dhcp4/message-type.ts';

const { DHCPREQUEST, DHCPACK } = DHCP_MESSAGE_TYPE;
const [A, B, C] = ['02:00:00:00:00:0a', '02:00:00:00:00:0b', '02:00:00:00:00:0c'].map(mac) as [Mac, Mac, Mac];

function request(chaddr: Mac, atMs: number): Seen {
  return { atMs, type: DHCPREQUEST, chaddr, xid: 1 };
}

test('a renewal is as late as its first REQUEST after T1 was read; those due elsewhere do not count', () => {
  const due: Due = {
    readAtMs: 1000,
    at: new Map([
      [A, 1100],
      [B, 1200],
      [C, 1900],
    ]),
  };
  const seen: readonly Seen[] = [
    request(A, 900), // the renewal before
    { atMs: 1110, type: DHCPACK, chaddr: A, xid: 1 },
    request(A, 1130),
    request(A, 1160), // the same again
    request(C, 1900),
  ];
  assert.deepEqual(latenessIn(seen, due, { fromMs: 1050, toMs: 1500 }), { lateMs: [30], missing: 1 });
  assert.deepEqual(latenessIn(seen, due, { fromMs: 1600, toMs: 2000 }), { lateMs: [0], missing: 0 });
});

function disturbed(lateMs: readonly number[], maxOwnMs: number, missing = 0): Disturbed {
  return { lateMs, missing, seconds: 1, loop: { maxMs: 20, maxOwnMs, p99OwnMs: 1, turns: 100 } };
}

test('goals of bursts: the latest of all rounds, infinitely late where a REQUEST was never sent, and own gaps', () => {
  const calm = { adds: [disturbed([1, 50], 2), disturbed([2], 4)], dels: [disturbed([3], 1)] };
  const lost = { adds: [disturbed([1], 1, 1)], dels: [disturbed([1], 1)] };
  const result: Disturbance = {
    quiet: [],
    bursts: { leasehold: calm, hostSide: lost },
    jitter: { longestMs: 1, ownMs: 0.1 },
    failures: [],
    dropped: 0,
  };
  const measured = disturbanceGoals(result).map((goal) => goal.measured);
  assert.deepEqual(measured, [50, 3, Number.POSITIVE_INFINITY, 1, 4, 1, 1, 1]);
});

test('the probe sees a loop that is kept busy as a gap of its own', async () => {
  const folder = await mkdtemp(join(tmpdir(), `leasehold-probe-${process.pid}-`));
  try {
    const target = join(folder, 'probe.json');
    const probe = pathToFileURL(join(import.meta.dirname, '..', '..', 'bench', 'loop-probe.ts')).href;
    // Busy by its own processor time, not by the clock: that is what an own gap is.
    const busy = `
      const begun = process.cpuUsage();
      const used = () => { const { user, system } = process.cpuUsage(begun); return user + system; };
      setTimeout(() => {
        while (used() < 60_000);
        process.kill(process.pid, 'SIGUSR2');
        setTimeout(() => {}, 50);
      }, 1);`;
    await run([process.execPath, `--import=${probe}`, '--eval', busy], {
      env: { ...process.env, LEASEHOLD_LOOP_PROBE: target },
    });
    const seen = JSON.parse(await readFile(target, 'utf8')) as LoopSeen;
    assert.ok(seen.turns >= 1);
    assert.ok(seen.maxOwnMs > 20, `${seen.maxOwnMs} ms`);
    assert.ok(seen.maxOwnMs <= seen.maxMs + 0.001);
  } finally {
    await rm(folder, { recursive: true });
  }
});
