import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Density, DensityRound } from '../../bench/measure-density.ts';
import type { Reboot } from '../../bench/measure-reboot.ts';
import { SECTION_NAMES } from '../../bench/measure.ts';
import { parseOptions } from '../../bench/options.ts';
import { densityRatio } from '../../bench/report-density.ts';
import { rebootTable } from '../../bench/report-reboot.ts';

function round(addMs: readonly number[], cpuMsEach: number): DensityRound {
  return { addMs, cpuMsEach };
}

test('what an ADD costs with many pods is compared within each round', () => {
  const density: Density = {
    rounds: {
      few: [round([4, 5, 90], 1), round([10], 2), round([5], 1)],
      many: [round([5, 6, 7], 2), round([11], 3), round([10], 1)],
    },
    failures: [],
  };
  assert.equal(densityRatio(density, 'wall'), 6 / 5);
  assert.equal(densityRatio(density, 'cpu'), 1.5);
});

function reboot(podsMs: number): Reboot {
  return { podsMs, daemonMs: podsMs + 300, timesMs: [podsMs], cpuMs: 500, oldLeases: 3, failures: [] };
}

test('the pods of a reboot: medians of the rounds, and the ratio of each', () => {
  const sizes = [{ size: 110, leasehold: [100, 200, 400].map(reboot), go: [1000, 400, 500].map(reboot) }];
  assert.match(rebootTable(sizes), /\| 110 pods: all attached, ms +\| +200 \| +500 \| +0\.50x \|/);
  assert.match(rebootTable(sizes), /own start, ms +\| +500 \| +800 \|/);
  const failed = { ...reboot(1), failures: ['exit status 1'] };
  const broken = [{ size: 110, leasehold: [100, 200].map(reboot), go: [failed, reboot(400)] }];
  assert.match(
    rebootTable(broken),
    /\| 110 pods: all attached, ms +\| +200 \| +400 \| +0\.50x \|/,
    'a round in which anything failed counts on neither side',
  );
  assert.match(rebootTable(broken), /\| 110 pods: failed +\| +0 \| +1 \|/);
});

const BUILT = ['driver', 'empty', 'floor', 'jitter', 'program', 'go-plugins', 'go-version'].flatMap(
  (name) => [`--${name}`, 'x'],
);

test('sections are asked for by their names, and never written over the report of all', () => {
  const options = parseOptions([...BUILT, '--only', 'bursts,density']);
  assert.deepEqual(options.only, ['bursts', 'density']);
  assert.equal(options.output, 'dist/benchmarks-partial.md');
  assert.equal(parseOptions(BUILT).only, undefined);
  assert.equal(parseOptions(BUILT).output, 'docs/benchmarks.md');
  assert.throws(
    () => parseOptions([...BUILT, '--only', 'burst']),
    new RegExp(`no section burst; there are ${SECTION_NAMES.join(', ')}`),
  );
});
