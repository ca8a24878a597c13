// Usage: node scripts/dist-tree.ts FOLDER. Makes FOLDER: the program with its own Node, and the licences of all parts.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isJsonObject, parseJson } from '../src/base/json.ts';
import { copyTree, listTree } from '../src/install/tree.ts';

const ROOT = dirname(import.meta.dirname);
const READABLE = 0o644;
const GLIBC =
  'The programs in dist/cni are linked with the GNU C Library (LGPL-2.1-or-later). Their whole source is in relay/: make links it anew with another one.';

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: dist-tree.ts FOLDER');
const files = listTree(ROOT);
copyTree(files, folder);
writeFileSync(join(folder, 'THIRD-PARTY.md'), thirdParty(folder), { mode: READABLE });

/** A line for each package of others, with its licence. Throws for one that comes without. */
function thirdParty(tree: string): string {
  const packages = files
    .map(({ path }) => path)
    .filter((path) => /^node_modules\/(@[^/]+\/)?[^/]+\/package\.json$/.test(path))
    .map(dirname);
  const rows = packages.map((path) => {
    const json = parseJson(readFileSync(join(tree, path, 'package.json'), 'utf8'));
    const value = json.ok && isJsonObject(json.value) ? json.value : {};
    const about = ['name', 'version', 'license'].map((key) => value[key]);
    if (!about.every((text) => typeof text === 'string')) throw new Error(`${path}: does not say what it is`);
    return `| ${[...about, licenceIn(tree, path)].join(' | ')} |`;
  });
  return `# What others wrote\n\n| package | version | licence | text |\n|---|---|---|---|\n${rows.join('\n')}\n
${GLIBC}\n`;
}

function licenceIn(tree: string, path: string): string {
  // The binary of a package lies in one of its own, with the licence of the package.
  const folders = [path, path.replace(/@koromix\/koffi-.*/, 'koffi')];
  for (const one of folders) {
    const names = existsSync(join(tree, one)) ? readdirSync(join(tree, one)) : [];
    const file = names.find((name) => /^(licen[cs]e|copying)/i.test(name));
    if (file !== undefined) return `${one}/${file}`;
  }
  throw new Error(`${path}: comes without the text of its licence`);
}
