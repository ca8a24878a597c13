import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../support/leasehold.ts';

const PAGES = ['.', 'docs', 'e2e', 'examples']
  .flatMap((folder) => readdirSync(join(ROOT, folder)).map((name) => join(folder, name)))
  .filter((path) => path.endsWith('.md'));
const LINK = /\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g;

function textOf(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8').replaceAll(/^```[^]*?^```$/gm, '');
}

/** The anchors that GitHub makes of a page's headings. */
function anchorsOf(page: string): ReadonlySet<string> {
  const seen = new Map<string, number>();
  const anchors = [...textOf(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => {
    const plain = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1');
    const slug = plain
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-');
    const before = seen.get(slug) ?? 0;
    seen.set(slug, before + 1);
    return before === 0 ? slug : `${slug}-${before}`;
  });
  return new Set(anchors);
}

test('each link of a page to another leads to what is there, and to a heading of it', () => {
  const dead: string[] = [];
  let looked = 0;
  for (const page of PAGES) {
    for (const [link, path = '', anchor] of textOf(page).matchAll(LINK)) {
      looked += 1;
      const target = path === '' ? page : relative(ROOT, join(ROOT, dirname(page), path));
      const isThere = existsSync(join(ROOT, target));
      const isHeading =
        anchor === undefined || (isThere && target.endsWith('.md') && anchorsOf(target).has(anchor));
      if (!isThere || !isHeading) dead.push(`${page}: ${link}`);
    }
  }
  assert.ok(looked > 0);
  assert.deepEqual(dead, []);
});
