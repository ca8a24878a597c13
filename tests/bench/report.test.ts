import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDriverCpu, parseDriverOutput } from '../../bench/driver.ts';
import { verdict, type Goal } from '../../bench/goal.ts';
import { figure, markdownTable, times } from '../../bench/markdown.ts';

function goal(bound: Goal['bound'], wanted: number, measured: number, unit = 'ms'): Goal {
  return { what: 'x', unit, bound, wanted, measured };
}

test('a goal is met at its bound, and a miss says by how much', () => {
  assert.equal(verdict(goal('at most', 5, 5)), 'met');
  assert.equal(verdict(goal('at least', 200, 200)), 'met');
  assert.equal(verdict(goal('at most', 5, 6)), '**missed** by 20 % (+1 ms)');
  assert.equal(verdict(goal('at least', 8, 6, '')), '**missed** by 25 % (-2)');
  assert.equal(verdict(goal('at most', 0, 3, '')), '**missed** (+3)');
  assert.equal(verdict(goal('at most', 5, Number.NaN)), 'not measured');
  assert.equal(
    verdict(goal('at most', 5, Number.POSITIVE_INFINITY)),
    '**missed**',
    'what never came is no success',
  );
  const aimed = (measured: number): string => verdict({ ...goal('at most', 5, measured), aim: 4 });
  assert.deepEqual([4, 5, 6].map(aimed), [
    'met, aim too',
    'met; aim missed by 25 % (+1 ms)',
    '**missed** by 20 % (+1 ms)',
  ]);
});

test('figures are as exact as they are worth', () => {
  assert.deepEqual([0.123, 9.994, 12.34, 123.4, Number.NaN].map(figure), [
    '0.12',
    '9.99',
    '12.3',
    '123',
    '-',
  ]);
  assert.equal(times(10, 4), '2.50x');
  assert.equal(times(1, 0), '-');
});

test('tables line up', () => {
  const table = markdownTable(['what', 'ms'], [['a longer one', '1.00']]);
  assert.equal(table, '| what         |   ms |\n| ------------ | ---: |\n| a longer one | 1.00 |');
});

test("the driver's lines are read, with what a failed job said", () => {
  const text = [
    'job a 1000000 3500000 0 312 yes 02:00:00:00:00:01 10.0.0.5',
    'job b 2000000 4000000 1 40 no 00:00:00:00:00:00 0.0.0.0',
    'said b { "code": 11 }',
    'job c 2000000 4000000 0 40 yes 02:00:00:00:00:02 0.0.0.0',
    '',
  ].join('\n');
  const [a, b, c] = parseDriverOutput(text);
  assert.deepEqual(a, {
    id: 'a',
    startMs: 1,
    endMs: 3.5,
    status: 0,
    stdoutBytes: 312,
    seen: { mac: '02:00:00:00:00:01', address: '10.0.0.5' },
    said: '',
  });
  assert.equal(b?.seen, undefined);
  assert.equal(b?.said, '{ "code": 11 }');
  assert.equal(c?.seen?.address, undefined);
  assert.equal(parseDriverCpu(text), undefined);
  assert.equal(parseDriverCpu(`${text}cpu 2500000\n`), 2.5);
});
