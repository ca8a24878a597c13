import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../support/leasehold.ts';

const HEADING = '### What it must be allowed\n';

/** What docs/kubernetes.md says that roles have to grant, as `grantsOf` says it of roles. */
export function grantsOfPage(): readonly string[] {
  const page = readFileSync(join(ROOT, 'docs', 'kubernetes.md'), 'utf8');
  const [, after = ''] = page.split(HEADING);
  const [section = ''] = after.split('\n#');
  const rows = section.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| verbs '));
  return rows
    .flatMap((row) => {
      const [verbs = '', resource = '', ...where] = row
        .split('|')
        .slice(1, 5)
        .map((cell) => cell.replaceAll('`', '').trim());
      const full = resource.includes('.') ? resource : `${resource}.`;
      return verbs.split(', ').map((verb) => [verb, full, ...where.filter((part) => part !== '')].join(' '));
    })
    .toSorted();
}
