// Usage: node scripts/program/main.ts FOLDER. Makes FOLDER: what the installed program has in the place of src/ and of the
// packages. Called by `make build`.
//   leasehold.mjs, .map     the program as one file
//   koffi.node              koffi's binary for this machine
//   THIRD-PARTY.md          the packages with their licences, whose texts are in third-party/; of an installed tree
import { copyFileSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { arch } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { PLATFORMS } from '../image/platforms.ts';
import { bundle } from './bundle.ts';
import { licenceOf } from './licences.ts';

const ROOT = dirname(dirname(import.meta.dirname));
const GLIBC =
  'The programs in dist/cni are linked with the GNU C Library (LGPL-2.1-or-later). Their whole source is in relay/: make links it anew with another one.';

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: main.ts FOLDER');
const platform = PLATFORMS.find(({ nodePackage }) => nodePackage === `node-linux-${arch()}`);
if (platform === undefined) throw new Error(`there is no program for ${arch()}`);

// Beside its place, then renamed: whoever copies it meanwhile has all of one or all of the other.
const fresh = `${folder}.new`;
rmSync(fresh, { recursive: true, force: true });
const packages = await bundle(ROOT, fresh);
copyFileSync(
  join(ROOT, 'node_modules', platform.koffiPackage, platform.koffiFile),
  join(fresh, 'koffi.node'),
);
const rows = [...packages, 'koffi'].toSorted().map((name) => licenceRow(name));
writeFileSync(join(fresh, 'THIRD-PARTY.md'), thirdParty(rows));
rmSync(folder, { recursive: true, force: true });
renameSync(fresh, folder);

/** A line for a package, with the text of its licence put beside the bundle. */
function licenceRow(name: string): string {
  const { version, licence, file } = licenceOf(join(ROOT, 'node_modules', name), name);
  const text = join('third-party', name, basename(file));
  mkdirSync(dirname(join(fresh, text)), { recursive: true });
  copyFileSync(file, join(fresh, text));
  return `| ${name} | ${version} | ${licence} | app/${text} |`;
}

function thirdParty(packageRows: readonly string[]): string {
  const node = 'node_modules/node';
  const { version, file } = licenceOf(join(ROOT, node), node);
  return `# What others wrote

| package | version | licence | text |
|---|---|---|---|
| Node.js | ${version} | MIT and others | ${join(node, basename(file))} |
${packageRows.join('\n')}

${GLIBC}
`;
}
