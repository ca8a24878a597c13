import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isJsonObject, parseJson } from '../../src/base/json.ts';

export type LockedPackage = { readonly name: string; readonly version: string; readonly folder: string };

/**
 * Unpacks a package that package-lock.json names, also one of another platform, which `npm ci` leaves out. Its bytes
 * must have the hash of the lock file. `cache`: where it stays for the next time. Throws an Error.
 */
export function lockedPackage(root: string, name: string, cache: string): LockedPackage {
  const { version, integrity } = lockedAs(root, name);
  const label = name.replace('@', '').replace('/', '-');
  mkdirSync(cache, { recursive: true });
  const folder = join(cache, `${label}-${version}-${sha256Of(integrity).slice(0, 12)}`);
  if (existsSync(folder)) return { name, version, folder };
  const work = mkdtempSync(join(cache, '.new-'));
  try {
    // No script of a package runs (.npmrc), and pack needs none.
    execFileSync('npm', ['pack', '--silent', '--pack-destination', work, `${name}@${version}`], {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const tarball = join(work, `${label}-${version}.tgz`);
    const found = `sha512-${createHash('sha512').update(readFileSync(tarball)).digest('base64')}`;
    if (found !== integrity) {
      throw new Error(`${name}@${version}: has the hash ${found}, package-lock.json says ${integrity}`);
    }
    execFileSync('tar', ['--no-same-owner', '-xzf', tarball, '-C', work, 'package']);
    renameSync(join(work, 'package'), folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return { name, version, folder };
}

function lockedAs(root: string, name: string): { readonly version: string; readonly integrity: string } {
  const json = parseJson(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const packages = json.ok && isJsonObject(json.value) ? json.value['packages'] : undefined;
  const entry = isJsonObject(packages) ? packages[`node_modules/${name}`] : undefined;
  const version = isJsonObject(entry) ? entry['version'] : undefined;
  const integrity = isJsonObject(entry) ? entry['integrity'] : undefined;
  if (typeof version !== 'string' || typeof integrity !== 'string' || !integrity.startsWith('sha512-')) {
    throw new Error(`package-lock.json: has no ${name} with a SHA-512`);
  }
  return { version, integrity };
}

function sha256Of(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
