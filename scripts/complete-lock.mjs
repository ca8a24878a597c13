// Completes package-lock.json after `npm install` on a registry that does not carry the binaries of other platforms:
// npm then leaves those optional packages out of the lock file, or in it without their hash, and `npm ci` refuses the
// one and would install the other unseen. What is added are platform constraints, and the hash that the registry
// publishes for exactly this version.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const CPUS = {
  ia32: 'ia32',
  x64: 'x64',
  arm64: 'arm64',
  arm: 'arm',
  ppc64: 'ppc64',
  riscv64: 'riscv64',
  s390x: 's390x',
};
const MODULES = 'node_modules/';
const path = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(path, 'utf8'));
for (const owner of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(owner.optionalDependencies ?? {})) {
    const key = `${MODULES}${name}`;
    if (lock.packages[key] !== undefined) continue;
    const [os, cpu, abi] = name
      .split('/')[1]
      .replace(/^binding-/, '')
      .split('-');
    lock.packages[key] = {
      version,
      cpu: [CPUS[cpu]],
      ...(owner.dev ? { dev: true } : {}),
      ...(os === 'linux' ? { libc: [abi.startsWith('musl') ? 'musl' : 'glibc'] } : {}),
      optional: true,
      os: [os],
    };
  }
}
for (const [key, locked] of Object.entries(lock.packages)) {
  if (key === '' || locked.integrity !== undefined) continue;
  const name = key.slice(key.lastIndexOf(MODULES) + MODULES.length);
  const said = execFileSync('npm', ['view', `${name}@${locked.version}`, 'dist.integrity'], {
    encoding: 'utf8',
  });
  if (!said.startsWith('sha512-'))
    throw new Error(`the registry has no SHA-512 of ${name}@${locked.version}`);
  const { version, ...rest } = locked;
  lock.packages[key] = { version, integrity: said.trim(), ...rest };
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).toSorted(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(path, `${JSON.stringify(lock, undefined, 2)}\n`);
