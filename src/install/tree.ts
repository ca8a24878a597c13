import { createHash } from 'node:crypto';
import {
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { isJsonObject, type JsonObject, parseJson } from '../base/json.ts';
import { lstatOf } from './fingerprint.ts';
import { syncFolder } from './place.ts';

/** One file of the program: its place in the tree, where it is now. Links of the source are read as files. */
export type TreeFile = { readonly path: string; readonly source: string; readonly executable: boolean };

/** What of a checkout belongs to the program; a part that is missing is left out, but for those of REQUIRED. */
const PARTS = ['bin', 'src', 'relay', 'schema', 'docs', 'examples', 'dist/cni'] as const;
const PAGES = ['package.json', 'LICENSE', 'README.md', 'CHANGELOG.md', 'ARCHITECTURE.md'] as const;
const REQUIRED = [
  'bin/leasehold',
  'src/main.ts',
  'dist/cni/leasehold',
  'dist/cni/loopback',
  'node_modules/node/bin/node',
  'package.json',
] as const;
/** What a package needs at run time, and what its licence asks for. */
const CODE = new Set(['.js', '.cjs', '.mjs', '.json', '.node']);
const LICENCE = /^(licen[cs]e|copying|notice)/i;
/** Folders of packages that no program imports; koffi's binary for another libc is of no use beside our glibc Node. */
const NOT_SHIPPED = new Set([
  'test',
  'tests',
  'benchmark',
  'benchmarks',
  'examples',
  'example',
  'docs',
  'doc',
  'vendor',
  '.github',
]);
const OTHER_LIBC = /^musl_/;
/** Where Node keeps what it compiled: it is no part of the program. */
const COMPILED = 'dist/compile-cache/';
const MOST_FILES = 20_000;
const EXECUTABLE = 0o755;
const READABLE = 0o644;
const DIGEST_CHARS = 12;

/**
 * The files of the program in `root`, sorted by path: an unpacked or installed tree has nothing else, a checkout (it
 * has a lock file) has much more. Throws an Error when something is missing that cannot be done without.
 */
export function listTree(root: string): readonly TreeFile[] {
  const paths = existsSync(join(root, 'package-lock.json')) ? checkoutPaths(root) : everyFile(root, '');
  const files = paths
    .filter(([path]) => !path.startsWith(COMPILED))
    .map(([path, source]) => ({
      path,
      source,
      executable: path.startsWith('bin/') || path.startsWith('dist/cni/') || path.endsWith('/bin/node'),
    }));
  if (files.length > MOST_FILES) throw new Error(`${root}: has more than ${MOST_FILES} files: not our tree`);
  const there = new Set(files.map(({ path }) => path));
  const missing = REQUIRED.find((path) => !there.has(path));
  if (missing !== undefined) throw new Error(`${root}: ${missing} is missing: run 'make build' there`);
  return files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

type Path = readonly [path: string, source: string];

function checkoutPaths(root: string): readonly Path[] {
  const pages = PAGES.filter((page) => existsSync(join(root, page)));
  return [
    ...pages.map((page): Path => [page, join(root, page)]),
    ...PARTS.filter((part) => existsSync(join(root, part))).flatMap((part) => everyFile(root, part)),
    ...nodePaths(root),
    ...packagesOf(root).flatMap((name) => everyFile(root, `node_modules/${name}`).filter(isShipped)),
  ];
}

/** Node is 150 MB: its binary and licence, without headers and npm. In a checkout its folder is a link to the platform's. */
function nodePaths(root: string): readonly Path[] {
  const folder = 'node_modules/node';
  return ['package.json', 'bin/node', 'LICENSE']
    .map((path): Path => [`${folder}/${path}`, join(root, folder, path)])
    .filter(([path, source]) => REQUIRED.some((required) => required === path) || existsSync(source));
}

/** What the program's dependencies depend on, as npm has laid it out: one folder a package. */
function packagesOf(root: string): readonly string[] {
  const found = new Set<string>();
  const wanted = Object.keys(section(root, '', 'dependencies'));
  for (let name = wanted.pop(); name !== undefined; name = wanted.pop()) {
    const folder = `node_modules/${name}`;
    if (found.has(name) || !existsSync(join(root, folder))) continue;
    found.add(name);
    wanted.push(
      ...Object.keys(section(root, folder, 'dependencies')),
      ...Object.keys(section(root, folder, 'optionalDependencies')),
    );
  }
  return [...found];
}

function section(root: string, folder: string, name: string): JsonObject {
  const json = parseJson(readFileSync(join(root, folder, 'package.json'), 'utf8'));
  const value = json.ok && isJsonObject(json.value) ? json.value[name] : undefined;
  return isJsonObject(value) ? value : {};
}

function isShipped([path]: Path): boolean {
  const steps = path.split('/');
  const name = steps.at(-1) ?? '';
  // Past node_modules/NAME or node_modules/@SCOPE/NAME.
  const within = steps.slice(steps[1]?.startsWith('@') === true ? 3 : 2, -1);
  if (within.some((step) => NOT_SHIPPED.has(step) || OTHER_LIBC.test(step))) return false;
  if (name === 'cnoke.cjs' || name.endsWith('.config.js')) return false;
  return CODE.has(extname(name)) || LICENCE.test(name);
}

function everyFile(root: string, part: string): readonly Path[] {
  return readdirSync(join(root, part), { withFileTypes: true }).flatMap((entry): readonly Path[] => {
    const path = part === '' ? entry.name : `${part}/${entry.name}`;
    return entry.isDirectory() ? everyFile(root, path) : [[path, join(root, path)]];
  });
}

/** A short name for the content of a tree: two trees of one version that differ lie beside each other. */
export function treeDigest(files: readonly TreeFile[]): string {
  const sum = createHash('sha256');
  for (const { path, source } of files) {
    const content = readFileSync(source);
    sum.update(`${path}\0${content.length}\0`).update(content);
  }
  return sum.digest('hex').slice(0, DIGEST_CHARS);
}

/** Whether the tree at `path` has exactly this content. */
export function isTree(path: string, digest: string): boolean {
  if (!existsSync(join(path, 'package.json')) || !isPlainTree(path)) return false;
  return (
    treeDigest(
      [...everyFile(path, '')]
        .map(([name, source]) => ({ path: name, source, executable: false }))
        .filter((file) => !file.path.startsWith(COMPILED))
        .toSorted((a, b) => (a.path < b.path ? -1 : 1)),
    ) === digest
  );
}

/** Whether it is a folder of files and folders, as `copyTree` makes one: a link would be read where it leads. */
function isPlainTree(path: string): boolean {
  if (lstatOf(path)?.isDirectory() !== true) return false;
  const entries = readdirSync(path, { recursive: true, withFileTypes: true });
  return entries.every((entry) => entry.isFile() || entry.isDirectory());
}

/** Copies the files to a new folder `path`, complete or not at all: links become files, modes are 0755 and 0644. */
export function copyTree(files: readonly TreeFile[], path: string): void {
  const temporary = temporaryTreeOf(path);
  rmSync(temporary, { recursive: true, force: true });
  for (const { path: name, source, executable } of files) {
    const to = join(temporary, name);
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(source, to, constants.COPYFILE_EXCL);
    chmodSync(to, executable ? EXECUTABLE : READABLE);
  }
  // The umask of whoever calls does not count: everybody may run the client commands.
  for (const entry of readdirSync(temporary, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) chmodSync(join(entry.parentPath, entry.name), EXECUTABLE);
  }
  chmodSync(temporary, EXECUTABLE);
  rmSync(path, { recursive: true, force: true });
  renameSync(temporary, path);
  syncFolder(dirname(path));
}

/** What a copy that was interrupted leaves. */
export function temporaryTreeOf(path: string): string {
  return `${path}.new`;
}
