import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { bundle, BUNDLE } from '../program/bundle.ts';
import { licenceOf } from '../program/licences.ts';
import { lockedPackage } from './locked-package.ts';
import { LIBRARIES, type Platform } from './platforms.ts';

const EXECUTABLE = 0o755;
const READABLE = 0o644;
const STICKY = 0o1777;
/** What is mounted into a container, or made in it: a root that is read-only must have the places. */
const EMPTY = ['dev', 'etc', 'proc', 'run', 'sys', 'var/cache', 'var/lib'] as const;
const HOME = 'usr/lib/leasehold';
const DOC = 'usr/share/doc';

export type Sources = {
  /** The checkout. */
  readonly root: string;
  /** Where packages that were fetched stay. */
  readonly cache: string;
  /** What debian-packages.sh has made for this platform. */
  readonly debian: string;
  /** The folder with the relay for this platform and the links to it. */
  readonly relay: string;
};

/** What changes only with Node or Debian: the runtime. Throws an Error for what is missing. */
export function stageRuntime(platform: Platform, sources: Sources, to: string): void {
  for (const folder of EMPTY) mkdirSync(join(to, folder), { recursive: true });
  mkdirSync(join(to, 'tmp'));
  chmodSync(join(to, 'tmp'), STICKY);
  const node = lockedPackage(sources.root, platform.nodePackage, sources.cache);
  const program = join(to, 'usr/bin/node');
  put(join(node.folder, 'bin/node'), program, EXECUTABLE);
  // A fourth of it are names that only a debugger reads.
  execFileSync(`${platform.tools}strip`, ['--strip-all', program]);
  for (const name of LIBRARIES) {
    put(debianFile(platform, sources, name), join(to, 'lib', platform.triplet, name), READABLE);
  }
  put(debianFile(platform, sources, basename(platform.linker)), join(to, platform.linker), EXECUTABLE);
  put(join(node.folder, 'LICENSE'), join(to, DOC, 'nodejs/LICENSE'), READABLE);
  for (const name of ['gcc-12-base', 'libc6']) {
    const copyright = join(sources.debian, 'root', DOC, name, 'copyright');
    put(copyright, join(to, DOC, name, 'copyright'), READABLE);
  }
}

/** What changes with every commit: the program, as one file, and the plugin binary. Rejects with an Error. */
export async function stageProgram(platform: Platform, sources: Sources, to: string): Promise<void> {
  const { root } = sources;
  const home = join(to, HOME);
  const packages = await bundle(root, join(home, 'app'));
  chmodSync(join(home, 'app', BUNDLE), EXECUTABLE);
  const koffi = lockedPackage(root, platform.koffiPackage, sources.cache);
  const native = join(home, 'app/koffi.node');
  put(join(koffi.folder, platform.koffiFile), native, READABLE);
  put(join(root, 'package.json'), join(home, 'package.json'), READABLE);
  put(join(root, 'LICENSE'), join(to, DOC, 'leasehold/LICENSE'), READABLE);
  for (const name of readdirSync(sources.relay)) {
    const plugin = join(home, 'dist/cni', name);
    const real = realpathSync(join(sources.relay, name));
    if (basename(real) === name) put(real, plugin, EXECUTABLE);
    else link(basename(real), plugin);
  }
  link(`../lib/leasehold/app/${BUNDLE}`, join(to, 'usr/bin/leasehold'));
  const rows = [...packages, 'koffi'].toSorted().map((name) => licenceRow(root, name, to));
  writeFileSync(join(to, DOC, 'leasehold/THIRD-PARTY.md'), thirdParty(platform, sources, rows), {
    mode: READABLE,
  });
}

/** Throws an Error where a program of the image is linked with a library that none of the `layers` has. */
export function checkLibraries(platform: Platform, layers: readonly string[]): void {
  const files = layers.flatMap((layer) =>
    ['usr/bin/node', `${HOME}/app/koffi.node`]
      .map((path) => join(layer, path))
      .filter((path) => existsSync(path)),
  );
  for (const file of files) {
    const dynamic = execFileSync(`${platform.tools}readelf`, ['--dynamic', file], { encoding: 'utf8' });
    for (const [, name = ''] of dynamic.matchAll(/\(NEEDED\).*\[(.+)\]/g)) {
      const isThere = LIBRARIES.some((one) => one === name) || basename(platform.linker) === name;
      if (!isThere) throw new Error(`${file}: needs ${name}, which is not in the image`);
    }
  }
}

function debianFile(platform: Platform, { debian }: Sources, name: string): string {
  const found = ['lib', 'usr/lib']
    .map((folder) => join(debian, 'root', folder, platform.triplet, name))
    .find((path) => existsSync(path));
  if (found === undefined) throw new Error(`${name}: is in none of the Debian packages in ${debian}`);
  return found;
}

/** A line for a package of the bundle, with the text of its licence put into the image. */
function licenceRow(root: string, name: string, to: string): string {
  const { version, licence, file } = licenceOf(join(root, 'node_modules', name), name);
  const text = join(DOC, 'leasehold/third-party', name, basename(file));
  put(file, join(to, text), READABLE);
  return `| ${name} | ${version} | ${licence} | /${text} |`;
}

function thirdParty(platform: Platform, { root, debian, cache }: Sources, rows: readonly string[]): string {
  const debs = readFileSync(join(debian, 'versions'), 'utf8').trimEnd().split('\n');
  const node = lockedPackage(root, platform.nodePackage, cache).version;
  return `# What others wrote

| package | version | licence | text |
|---|---|---|---|
| Node.js | ${node} | MIT and others | /${DOC}/nodejs/LICENSE |
${rows.join('\n')}

From Debian, unchanged, their sources are in Debian's archive under these versions: ${debs.join(', ')}
(/${DOC}/libc6/copyright, /${DOC}/gcc-12-base/copyright).

The plugin binary is linked with the GNU C Library (LGPL-2.1-or-later). Its whole source is in relay/ of Leasehold's:
make links it anew with another one.
`;
}

function put(from: string, to: string, mode: number): void {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
  chmodSync(to, mode);
}

function link(target: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(target, path);
}
