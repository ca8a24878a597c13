import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { ROOT } from '../support/leasehold.ts';
import { by, deviates, doesNotApply, met, must, should, type Evidence, type Rfc } from './clause.ts';
import { notRun, notThere, outOfOrder, ranFrom } from './evidence.ts';
import { rfcPage } from './page.ts';

const SAMPLE = 'rfc/support/sample.ts';

function table(...evidence: readonly [Evidence, ...Evidence[]]): Rfc {
  return { number: 1, title: 'A', clauses: [must('2', 'does so', met(...evidence))] };
}

describe('the check that evidence ran', () => {
  const folder = mkdtempSync(join(tmpdir(), `leasehold-rfc-${process.pid}-`));
  after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'ran');
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const run = spawnSync(
    process.execPath,
    [
      '--test',
      '--test-reporter=./tests/rfc/reporter.ts',
      `--test-reporter-destination=${file}`,
      '--test-reporter=spec',
      '--test-reporter-destination=stdout',
      `tests/${SAMPLE}`,
    ],
    { cwd: ROOT, env, encoding: 'utf8' },
  );
  const ran = ranFrom(readFileSync(file, 'utf8'));
  const faultOf = (...path: Evidence['path']): readonly string[] => notRun([table(by(SAMPLE, ...path))], ran);

  test('the reporter names each test by its suites, and leaves the other reporter alone', () => {
    assert.equal(run.status, 1, 'one of them fails');
    assert.match(run.stdout, /pass 8\n/);
    assert.deepEqual(
      ran.map(({ file: of, path, outcome }) => [of, path.join(' > '), outcome]),
      [
        [`tests/${SAMPLE}`, 'passes', 'passed'],
        [`tests/${SAMPLE}`, 'a suite > passes', 'passed'],
        [`tests/${SAMPLE}`, 'a suite > an inner one > passes', 'passed'],
        [`tests/${SAMPLE}`, 'a suite > is skipped', 'skipped'],
        [`tests/${SAMPLE}`, 'a suite > is to do', 'todo'],
        [`tests/${SAMPLE}`, 'a suite > fails', 'failed'],
        [`tests/${SAMPLE}`, 'has parts > first', 'passed'],
        [`tests/${SAMPLE}`, 'has parts > second', 'passed'],
        [`tests/${SAMPLE}`, 'has parts', 'passed'],
        [`tests/${SAMPLE}`, 'twice', 'passed'],
        [`tests/${SAMPLE}`, 'twice', 'passed'],
      ],
    );
  });

  test('what passed is evidence', () => {
    const passed = [
      by(SAMPLE, 'passes'),
      by(SAMPLE, 'a suite', 'passes'),
      by(SAMPLE, 'has parts', 'second'),
    ] as const;
    assert.deepEqual(notRun([table(...passed)], ran), []);
  });

  test('what did not run, was skipped, is to do, failed, or is a suite is none', () => {
    assert.deepEqual(faultOf('was never there'), [
      `RFC 1 2 "does so": tests/${SAMPLE}: no such test ran: was never there`,
    ]);
    assert.match(faultOf('a suite', 'is skipped')[0] ?? '', /: skipped: a suite > is skipped$/);
    assert.match(faultOf('a suite', 'is to do')[0] ?? '', /: todo: /);
    assert.match(faultOf('a suite', 'fails')[0] ?? '', /: failed: /);
    assert.match(faultOf('a suite')[0] ?? '', /: no such test ran: /);
    assert.match(faultOf('second')[0] ?? '', /: no such test ran: /);
  });

  test('a name that two tests have is none', () => {
    assert.match(faultOf('twice')[0] ?? '', /: several tests have this name: /);
  });

  test('the same name in another file is none', () => {
    assert.equal(notRun([table(by('rfc/other.test.ts', 'passes'))], ran).length, 1);
  });

  test('the tests of what deviates count too', () => {
    const clauses = [
      should('1', 'does', deviates('no', by(SAMPLE, 'gone'))),
      should('1', 'is', doesNotApply('no')),
    ];
    assert.equal(notRun([{ number: 1, title: 'A', clauses }], ran).length, 1);
  });

  test('the step of make test fails with the clause, the file and the name', () => {
    const step = spawnSync(process.execPath, [join(ROOT, 'tests/rfc/check-ran.ts'), '/dev/null'], {
      encoding: 'utf8',
    });
    assert.equal(step.status, 1);
    assert.match(step.stderr, /^RFC \d+ [\d.]+.* ".*": tests\/.*\.test\.ts: no such test ran: .+$/m);
  });
});

describe('the check of names', () => {
  const text =
    "test('one'); test(\"it's two\"); test(`${server}: three`); test(`${all}`); told(`${a} ${b}`);";
  const missing = (...path: Evidence['path']): number =>
    notThere([table(by('a.test.ts', ...path))], (file) => (file === 'tests/a.test.ts' ? text : undefined))
      .length;

  test('a name is a string of the file, or fits a template', () => {
    assert.deepEqual([missing('one'), missing("it's two"), missing('kea: three')], [0, 0, 0]);
  });

  test('neither a part of a name, nor a template of nothing else or of another text, is enough', () => {
    assert.deepEqual(
      [missing('on'), missing('four'), missing('three'), missing('one', 'four'), missing('four five')],
      [1, 1, 1, 1, 1],
    );
  });

  test('the file is there', () => {
    assert.match(
      notThere([table(by('b.test.ts', 'one'))], () => undefined)[0] ?? '',
      /there is no such file/,
    );
  });
});

function inOrder(...sections: readonly string[]): readonly string[] {
  const clauses = sections.map((section) => must(section, '', doesNotApply('')));
  return outOfOrder({ number: 1, title: 'A', clauses });
}

test('sections are in the order of their numbers', () => {
  assert.deepEqual(inOrder('2', '4.3.2', '4.4', '4.4.1', '4.4.1 table 5', '4.4.2', '4.10', '9'), []);
  assert.deepEqual(inOrder('4.10', '4.9'), ['4.9']);
});

test('the page counts, escapes, and names tests of one file together', () => {
  const clauses = [
    must(
      '2',
      'sends a|b',
      met(by('a.test.ts', 'one'), by('a.test.ts', 'suite', 'two'), by('b.test.ts', 'x')),
    ),
    should('3', 'waits', deviates('it is slow', by('a.test.ts', 'three'))),
    should('4', 'prints', doesNotApply('it has no paper')),
  ];
  const page = rfcPage([{ number: 7, title: 'Of Paper', clauses }]);
  assert.match(page, /^\| \[RFC 7: Of Paper\]\(#rfc-7-of-paper\) \| 1 \| 1 \| 1 \|$/m);
  assert.ok(
    page.includes(
      [
        '| 2 | MUST | sends a\\|b | **met**: `tests/a.test.ts`: one; suite > two. `tests/b.test.ts`: x |',
        '| 3 | SHOULD | waits | **deviates**: it is slow. `tests/a.test.ts`: three |',
        '| 4 | SHOULD | prints | **does not apply**: it has no paper |',
      ].join('\n'),
    ),
    page,
  );
});
