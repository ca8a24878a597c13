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
import { dirname, join } from 'node:path';
import { lstatOf } from './fingerprint.ts';
import { syncFolder } from './place.ts';

/** One file of the program: its place in the tree, where it is now. Links of the source are read as files. */
export type TreeFile = { readonly path: string; readonly source: string; readonly executable: boolean };

/** What of a checkout belongs to the program; a part that is missing is left out, but for those of REQUIRED. */
const PARTS = ['bin', 'relay', 'schema', 'docs', 'examples', 'dist/cni'] as const;
const PAGES = ['package.json', 'LICENSE', 'README.md', 'CHANGELOG.md', 'ARCHITECTURE.md'] as const;
/** The program as one file, with what lies beside it, as `make build` makes it of SOURCE and the packages. */
const APP = 'dist/app';
const SOURCE = 'src';
/** It speaks of the whole tree. */
const THIRD_PARTY = 'THIRD-PARTY.md';
const PROGRAM = 'leasehold.mjs';
const REQUIRED = [
  'bin/leasehold',
  `app/${PROGRAM}`,
  'dist/cni/leasehold',
  'dist/cni/loopback',
  'node_modules/node/bin/node',
  'package.json',
] as const;
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
    ...appPaths(root),
    ...nodePaths(root),
  ];
}

function appPaths(root: string): readonly Path[] {
  if (!existsSync(join(root, APP))) return [];
  refuseOlder(root);
  return everyFile(root, APP).map(([path, source]): Path => {
    const name = path.slice(APP.length + 1);
    return [name === THIRD_PARTY ? name : `app/${name}`, source];
  });
}

/** Whoever changes the source and installs it means the changed one. */
function refuseOlder(root: string): void {
  const made = lstatOf(join(root, APP, PROGRAM))?.mtimeMs ?? 0;
  const newer = everyFile(root, SOURCE).find(([, source]) => (lstatOf(source)?.mtimeMs ?? 0) > made);
  if (newer !== undefined)
    throw new Error(`${root}: ${newer[0]} is newer than ${APP}: run 'make build' there`);
}

/** Node is 150 MB: its binary and licence, without headers and npm. In a checkout its folder is a link to the platform's. */
function nodePaths(root: string): readonly Path[] {
  const folder = 'node_modules/node';
  return ['package.json', 'bin/node', 'LICENSE']
    .map((path): Path => [`${folder}/${path}`, join(root, folder, path)])
    .filter(([path, source]) => REQUIRED.some((required) => required === path) || existsSync(source));
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
