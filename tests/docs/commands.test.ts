import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../support/leasehold.ts';
import { commandsIn, commandsOf } from './support/page-commands.ts';
import { KUBERNETES_PAGE, KUBERNETES_PAGE_TEST, PAGES, RUN_BY } from './support/run-by.ts';

/** What e2e/kubernetes-page.test.ts has on its machines. */
const PROGRAMS_THERE: ReadonlySet<string> = new Set(['kubectl', 'helm', 'ctr']);

/** Without the line breaks of the formatter. */
function squeezed(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8')
    .replaceAll(/\s+/g, ' ')
    .replaceAll('( ', '(')
    .replaceAll(', )', ')');
}

test('each command of these pages is run by a test, or the page says that it is not', () => {
  const open: string[] = [];
  const unused = new Set(
    Object.entries(RUN_BY).flatMap(([page, known]) => Object.keys(known).map((text) => `${page}: ${text}`)),
  );
  for (const page of PAGES) {
    for (const { text, isMarked } of commandsOf(page)) {
      const evidence = RUN_BY[page]?.[text];
      if (isMarked) continue;
      if (evidence !== undefined) {
        unused.delete(`${page}: ${text}`);
        const [file, written] = evidence;
        assert.ok(
          squeezed(file).includes(written),
          `${file} no longer has ${written}, which is how it runs: ${text}`,
        );
      } else if (page !== KUBERNETES_PAGE || !PROGRAMS_THERE.has(text.split(' ')[0] ?? '')) {
        open.push(`${page}: ${text}`);
      }
    }
  }
  assert.deepEqual(open, [], 'neither run by a test (tests/docs/support/run-by.ts) nor marked "# not run"');
  assert.deepEqual([...unused], [], 'no longer on the page');
  assert.match(squeezed(KUBERNETES_PAGE_TEST), /commandsOf\(KUBERNETES_PAGE\)/);
});

/** Its commands of kubectl, each by itself. */
function kubectl(page: string): readonly string[] {
  return commandsOf(page)
    .flatMap(({ text }) => text.split(' && '))
    .filter((text) => text.startsWith('kubectl '));
}

test("what the README shows of kubectl is docs/kubernetes.md's", () => {
  const shown = kubectl('README.md');
  assert.ok(shown.length > 0);
  const there = new Set(kubectl(KUBERNETES_PAGE));
  assert.deepEqual(
    shown.filter((text) => !there.has(text)),
    [],
  );
});

test('how commands are read from a page', () => {
  const page = [
    'Text `not a command`.',
    '```sh',
    'one --flag   # what it does',
    'two          # not run',
    '# a comment',
    'for each in a b; do',
    '  three "$each"',
    'done',
    '```',
    '```json',
    '{}',
    '```',
    '```sh',
    '# not run',
    'four \\',
    '  --more',
    '```',
  ];
  assert.deepEqual(commandsIn(page.join('\n')), [
    { text: 'one --flag', isMarked: false },
    { text: 'two', isMarked: true },
    { text: 'for each in a b; do\n  three "$each"\ndone', isMarked: false },
    { text: 'four \\\n  --more', isMarked: true },
  ]);
});
