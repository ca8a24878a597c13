import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SECTION_NAMES } from '../../bench/measure.ts';
import {
  renewalShare,
  type Renewals,
  type RenewalSize,
  type RenewalWindow,
} from '../../bench/measure-renewals.ts';
import type { Restart, Restarts } from '../../bench/measure-restart.ts';
import { FULL, QUICK, podsNeeded } from '../../bench/plan.ts';
import { watchActivity } from '../../bench/process-state.ts';
import { idleTable } from '../../bench/report-footprint.ts';
import { keptText, renewalGoals, renewalTable } from '../../bench/report-renewals.ts';
import { restartGoals, restartTable } from '../../bench/report-restarts.ts';
import { copyRecord, multiplyRecords } from '../../bench/stored-copies.ts';
import { recordFileName } from '../../src/kernel/lease-files.ts';

function windows(...cpuMsEach: readonly number[]): readonly RenewalWindow[] {
  return cpuMsEach.map((each) => ({ renewals: 100, cpuMsEach: each, rssMb: 80 }));
}

const SIZE: RenewalSize = {
  leases: 50,
  leasehold: { windows: windows(1, 2, 4), failures: [] },
  go: { windows: windows(10, 4, 5), failures: [] },
};

function restart(takenUpMs: number, heardByServer: number): Restart {
  const state = { threads: 12, fds: 28, rssMb: 90, anonMb: 40 };
  return { readyMs: 300, takenUpMs, cpuMs: 250, heardByServer, framesOut: 3, state };
}

const RESTARTS: Restarts = {
  sizes: [{ leases: 1000, pods: 1000, starts: [restart(700, 0), restart(900, 60)] }],
  failures: [],
  leftAtServer: 0,
};

const RENEWALS: Renewals = {
  sizes: [SIZE],
  kept: {
    leasehold: { leases: 50, inForce: 50, failures: [] },
    go: { leases: 50, inForce: 0, failures: [] },
  },
};

test('the share of a renewal is the median of the pairs, not the ratio of the medians', () => {
  // 0.1, 0.5 and 0.8 of the Go daemon's; the medians alone would say 0.4.
  assert.equal(renewalShare(SIZE), 0.5);
  assert.ok(Number.isNaN(renewalShare({ leasehold: SIZE.leasehold, go: { windows: [] } })));
});

test('goals of renewals and restarts: each number of leases, the slowest start, the most packets', () => {
  const [share, kept] = renewalGoals(RENEWALS);
  assert.deepEqual([share?.wanted, share?.aim, share?.measured], [0.25, 0.15, 0.5]);
  assert.deepEqual([kept?.wanted, kept?.measured], [50, 50]);
  const [taken, packets, left] = restartGoals(RESTARTS);
  assert.deepEqual([taken?.wanted, taken?.measured], [1000, 900]);
  assert.deepEqual([packets?.wanted, packets?.measured], [50, 60]);
  assert.equal(left?.measured, 0);
});

test('tables of the daemon show both sides, and "-" for what was not measured', () => {
  assert.match(renewalTable(RENEWALS), /\| 50, pair 1 +\| +100 \/ 100 +\| +1 +\| +10 +\| +0.10x +\|/);
  assert.match(renewalTable(RENEWALS), /\| 50, median +\| +300 \/ 300 +\| +2 +\| +5 +\| +0.50x +\|/);
  assert.match(keptText(RENEWALS), /50 of Leasehold's still in force, and 0 of the Go daemon's/);
  assert.match(restartTable(RESTARTS), /\| 1,000 +\| +300 +\| +900 +\| +250 +\| +60 +\|/);
  const idle = [{ leases: 0, seconds: 5, activity: { mainWakeUps: 10, wakeUps: 20, cpuMs: 5 } }];
  assert.match(
    idleTable({ leasehold: { idle }, go: { idle: [] } }),
    /\| 0 +\| +2 \/ - +\| +4 \/ - +\| +1 \/ - +\|/,
  );
});

test('a plan asks for as many namespaces as the largest of the sections that are run', () => {
  for (const plan of [FULL, QUICK]) {
    const needed = podsNeeded(plan, SECTION_NAMES);
    const sizes = [...plan.renewals.sizes, ...plan.bursts.map(({ size }) => ({ leases: size }))];
    for (const leases of [...sizes.map((size) => size.leases), ...plan.leaseSteps, plan.restart.leases]) {
      assert.ok(leases <= needed, `${plan.name}: ${leases}`);
    }
    assert.equal(podsNeeded(plan, ['sequence']), plan.sequence.perRound);
  }
});

const RECORD = {
  schema: 1,
  key: { containerId: 'c1', network: 'lan', ifname: 'eth0' },
  netns: { path: '/run/netns/x', inode: '4026531840' },
  state: { kind: 'bound' },
};

test('a copied record differs in its network alone, and lies where its key leads', () => {
  const { name, text } = copyRecord(JSON.stringify(RECORD), 'other');
  assert.equal(name, recordFileName('c1/other/eth0'));
  assert.deepEqual(JSON.parse(text), { ...RECORD, key: { ...RECORD.key, network: 'other' } });
  assert.throws(() => copyRecord('[]', 'other'), /a record is a JSON object/);
  assert.throws(() => copyRecord('{"key":{}}', 'other'), /a key names its attachment/);
});

test('records are multiplied, and only the copies are removed again', async () => {
  const folder = await mkdtemp(join(tmpdir(), `leasehold-copies-${process.pid}-`));
  try {
    const own = recordFileName('c1/lan/eth0');
    await writeFile(join(folder, own), JSON.stringify(RECORD));
    await writeFile(join(folder, '.7'), 'being written');
    const many = await multiplyRecords(folder, 10);
    assert.equal(many.count, 10);
    assert.equal((await readdir(folder)).length, 11);
    await many.remove();
    assert.deepEqual(new Set(await readdir(folder)), new Set([own, '.7']));
    assert.equal(await readFile(join(folder, own), 'utf8'), JSON.stringify(RECORD));
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('the activity of a process is what it did since: processor time of all its threads', async () => {
  const end = await watchActivity(process.pid);
  const until = process.cpuUsage();
  // A condition of the process itself, not of the clock.
  const used = (): number => {
    const { user, system } = process.cpuUsage(until);
    return user + system;
  };
  while (used() < 20_000);
  const { cpuMs, mainWakeUps, wakeUps } = await end();
  assert.ok(cpuMs >= 15, `${cpuMs} ms`);
  assert.ok(mainWakeUps <= wakeUps);
});
