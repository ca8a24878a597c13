// Completes package-lock.json after `npm install` on a registry that does not carry the binaries of other platforms:
// npm then leaves those optional packages out of the lock file, and `npm ci` refuses it. What is added are the
// platform constraints alone, so that `npm ci` knows what it may skip.
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
const path = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(path, 'utf8'));
for (const owner of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(owner.optionalDependencies ?? {})) {
    const key = `node_modules/${name}`;
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
lock.packages = Object.fromEntries(Object.entries(lock.packages).toSorted(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(path, `${JSON.stringify(lock, undefined, 2)}\n`);
