import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  cycleIn,
  importsOf,
  layerOf,
  LAYERS,
  layerTable,
  violationsIn,
  type Source,
} from './support/layers.ts';

const ROOT = join(import.meta.dirname, '..');

function sources(): readonly Source[] {
  const folder = join(ROOT, 'src');
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => ({ path, text: readFileSync(join(folder, path), 'utf8') }));
}

type Row = readonly [folder: string, layers: readonly string[]];

function sorted(rows: readonly Row[]): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(rows.map(([folder, layers]) => [folder, layers.toSorted()]));
}

function violations(path: string, text: string): readonly string[] {
  return violationsIn(LAYERS, [{ path, text }]);
}

function file(path: string, ...names: readonly string[]): Source {
  return { path, text: names.map((name) => `import '${name}';`).join('\n') };
}

describe('the house', () => {
  test('every import is one that its layer may have', () => {
    const all = sources();
    assert.ok(all.length > 100);
    assert.deepEqual(violationsIn(LAYERS, all), []);
  });

  test('no file imports itself by way of others', () => {
    assert.equal(cycleIn(sources()), undefined);
  });

  test('ARCHITECTURE.md has the same table', () => {
    const page = layerTable(readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8'));
    const table = Object.entries(LAYERS).map(([folder, { layers }]): Row => [folder, layers]);
    assert.deepEqual(sorted(Object.entries(page)), sorted(table));
  });

  test('every layer of the table is there', () => {
    assert.deepEqual(new Set(sources().map(({ path }) => layerOf(path))), new Set(Object.keys(LAYERS)));
  });
});

describe('the check itself', () => {
  test('finds what is not allowed, in every form of an import', () => {
    const cases = [
      ['base/ip.ts', `import { x } from '../wire/x.ts';`, /base may not import wire/],
      ['wire/dhcp4/x.ts', `import type { X } from '../../protocol/x.ts';`, /wire may not import protocol/],
      ['lease/x.ts', `export { x } from '../cni/x.ts';`, /lease may not import cni/],
      ['api/x.ts', `import '../kernel/x.ts';`, /api may not import kernel/],
      ['cli/x.ts', `await import('../kernel/x.ts');`, /cli may not import kernel/],
      ['cli/x.ts', `import {\n  x,\n} from '../agent.ts';`, /cli may not import \./],
      ['base/x.ts', `import x from 'node:fs';`, /does not know the OS/],
      ['api/x.ts', `process.getBuiltinModule('node:child_process')`, /only kernel\/ and lab\//],
      ['kernel/links.ts', `import koffi from 'koffi';`, /koffi: not a package for kernel\/links\.ts/],
      ['wire/x.ts', `import * as v from 'valibot';`, /valibot: not a package/],
      ['wall/x.ts', `import { x } from './y.ts';`, /wall\/ is in no row/],
      ['main.ts', `import { x } from '../tests/x.ts';`, /outside of src/],
    ] as const;
    for (const [path, text, message] of cases) {
      const found = violations(path, text);
      assert.equal(found.length, 1, `${path}: ${text}`);
      assert.match(found[0] ?? '', message);
    }
  });

  test('lets pass what is allowed, and comments', () => {
    assert.deepEqual(violations('kernel/ffi.ts', `import koffi from 'koffi';`), []);
    assert.deepEqual(violations('cni/plugins/x.ts', `import { x } from '../../wire/x.ts';`), []);
    assert.deepEqual(violations('main.ts', `import { x } from './kernel/x.ts';`), []);
    assert.deepEqual(violations('base/x.ts', `// from '../wire/x.ts'\n/* import 'node:fs' */`), []);
    assert.deepEqual(importsOf(`import { a } from './a.ts';\nimport type { B } from './a.ts';`), ['./a.ts']);
  });

  test('finds a circle', () => {
    const line = [file('a/x.ts', './y.ts', '../b/z.ts'), file('a/y.ts', '../b/z.ts'), file('b/z.ts')];
    assert.equal(cycleIn(line), undefined);
    assert.deepEqual(cycleIn([...line.slice(0, 2), file('b/z.ts', '../a/x.ts')]), [
      'a/x.ts',
      'a/y.ts',
      'b/z.ts',
      'a/x.ts',
    ]);
  });

  test('reads a table', () => {
    const page = `# X\n\n| \`no/\` | x | \`y\` |\n\n## Layers\n\n| folder | what | may import |\n|---|---|---|
| \`a/\` | the \`x\` of it | nothing |\n| \`b/\` | more | \`a\`, \`c/\` |\n| \`./\` | root | everything |\n\n## More\n| \`d/\` | x | \`a\` |\n`;
    assert.deepEqual(layerTable(page), { a: [], b: ['a', 'c'], '.': ['*'] });
  });
});
