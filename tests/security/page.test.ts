import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { unitText } from '../../src/install/unit.ts';
import { ROOT } from '../support/leasehold.ts';

const PAGE = join(ROOT, 'docs', 'security.md');
const NAMED_TEST = /`(tests\/[^`]+)`/g;
const HOLDS = '## What holds\n';
const PRIVILEGES = "## The daemon's privileges\n";

/** From a heading to the next of its level. */
function section(page: string, heading: string): string {
  const from = page.indexOf(heading);
  assert.ok(from >= 0, heading);
  const to = page.indexOf('\n## ', from + heading.length);
  return page.slice(from, to < 0 ? undefined : to);
}

/** The cells of the rows of all tables, without their heads. */
function rows(text: string): readonly (readonly string[])[] {
  const lines = text.split('\n');
  return lines
    .filter((line, at) => line.startsWith('| ') && !(lines[at + 1] ?? '').startsWith('|---'))
    .map((line) =>
      line
        .slice(2, -2)
        .split(/ \|(?= )/)
        .map((cell) => cell.trim()),
    );
}

function testsIn(text: string): readonly string[] {
  return [...text.matchAll(NAMED_TEST)].map(([, path]) => path ?? '');
}

test('every test that docs/security.md names is there', async () => {
  const named = testsIn(await readFile(PAGE, 'utf8')).filter((path) => path.endsWith('.test.ts'));
  assert.ok(named.length > 0);
  assert.deepEqual(
    named.filter((path) => !existsSync(join(ROOT, path))),
    [],
  );
});

test('whatever holds, it says by which test', async () => {
  const holds = rows(section(await readFile(PAGE, 'utf8'), HOLDS));
  assert.ok(holds.length > 0);
  assert.deepEqual(
    holds.filter((cells) => cells.length !== 3 || testsIn(cells[2] ?? '').length === 0),
    [],
  );
});

test('each capability of the unit is explained, once: here, or where the container gets it', async () => {
  const unit = unitText({ tree: '/opt/leasehold', configPath: undefined, serviceCidrs: [] });
  const given = /^CapabilityBoundingSet=(.*)$/m.exec(unit)?.[1]?.split(' ') ?? [];
  const here = rows(section(await readFile(PAGE, 'utf8'), PRIVILEGES))
    .map(([name = '']) => /^`(CAP_\w+)`$/.exec(name)?.[1])
    .filter((name) => name !== undefined);
  const image = section(await readFile(join(ROOT, 'docs', 'image.md'), 'utf8'), '## Not privileged\n');
  const ofContainer = rows(image)
    .filter(([, , reason = '']) => reason !== '')
    .map(([name = '']) => /^`([A-Z_]+)`$/.exec(name)?.[1])
    .flatMap((name) => (name === undefined ? [] : [`CAP_${name}`]));
  const explained = [...here, ...ofContainer];
  assert.deepEqual(explained.toSorted(), given.toSorted());
});
