import { join, relative } from 'node:path';
import type { EventData } from 'node:test';
import type { TestEvent } from 'node:test/reporters';
import type { Ran } from './evidence.ts';

const ROOT = join(import.meta.dirname, '..', '..');

/**
 * A reporter of node:test that writes down each test that ran, as a line of JSON (`Ran`). It goes beside the one for
 * people: `--test-reporter=./tests/rfc/reporter.ts --test-reporter-destination=FILE`.
 */
export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const paths = new Map<string, Ran['path']>();
  for await (const { type, data } of source) {
    if (type === 'test:start') {
      const { name, parentId, testId } = data;
      const around = parentId === undefined ? undefined : paths.get(keyOf(data, parentId));
      paths.set(keyOf(data, testId), around === undefined ? [name] : [...around, name]);
    } else if (type === 'test:pass' || type === 'test:fail') {
      const path = paths.get(keyOf(data, data.testId));
      if (path === undefined || data.details.type === 'suite') continue;
      const ran: Ran = { file: relative(ROOT, fileOf(data)), path, outcome: outcomeOf(type, data) };
      yield `${JSON.stringify(ran)}\n`;
    }
  }
}

/** The file that was run: a test may be declared in another one. */
function fileOf({ entryFile, file }: EventData.LocationInfo): string {
  return entryFile ?? file ?? '';
}

/** Ids are those of a file's process. */
function keyOf(data: EventData.LocationInfo, id: number): string {
  return `${id} ${fileOf(data)}`;
}

function outcomeOf(
  type: 'test:pass' | 'test:fail',
  { skip, todo }: Pick<EventData.TestPass, 'skip' | 'todo'>,
): Ran['outcome'] {
  if (isMarked(skip)) return 'skipped';
  if (isMarked(todo)) return 'todo';
  return type === 'test:pass' ? 'passed' : 'failed';
}

/** An empty string is a mark: `t.skip('')`. */
function isMarked(mark: string | boolean | undefined): boolean {
  return mark !== undefined && mark !== false;
}
