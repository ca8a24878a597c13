import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SysError } from '../../src/base/sys-error.ts';
import { ipv4 } from '../../src/base/ipv4.ts';
import { HostGuard, type GuardSpec, type Tables } from '../../src/kernel/guard.ts';
import type { TableSpec } from '../../src/wire/nftables/table.ts';

const SPEC: GuardSpec = {
  networks: [{ address: ipv4('10.43.0.0'), prefix: 16 }],
  uplinks: ['eth0'],
  shims: ['lh0'],
};

/** What a kernel has in the end that takes only some chains. */
class OldKernel implements Tables {
  readonly tables = new Map<string, TableSpec>();
  puts = 0;
  readonly #lacks: ReadonlyMap<string, string>;

  /** By the name of the chain: what the kernel says to it. */
  constructor(lacks: Readonly<Record<string, string>>) {
    this.#lacks = new Map(Object.entries(lacks));
  }

  put(tables: readonly TableSpec[]): Promise<void> {
    this.puts += 1;
    const chains = tables.flatMap((table) => table.chains.map(({ name }) => name));
    const code = chains.map((name) => this.#lacks.get(name)).find((one) => one !== undefined);
    if (code !== undefined) return Promise.reject(new SysError('NFT_MSG_NEWRULE', code));
    for (const table of tables) this.tables.set(table.family, table);
    return Promise.resolve();
  }

  has(): Promise<boolean> {
    return Promise.resolve(false);
  }

  remove(): Promise<void> {
    return Promise.resolve();
  }

  isAsSpecified(): Promise<boolean> {
    return Promise.resolve(true);
  }

  counters(): Promise<[]> {
    return Promise.resolve([]);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  chainsOf(family: string): readonly string[] {
    return (this.tables.get(family)?.chains ?? []).map(({ name }) => name);
  }
}

for (const [what, lacks, egress] of [
  ['all', {}, 'guarded'],
  ['no egress hook (before 5.16)', { egress: 'EOPNOTSUPP' }, 'unsupported'],
  ['no reject at prerouting (before 5.9)', { refuse: 'EOPNOTSUPP', egress: 'EOPNOTSUPP' }, 'unsupported'],
  ['no expression fib', { untranslated: 'ENOENT' }, 'guarded'],
] as const) {
  test(`a kernel that has ${what} gets what it can take, and is not asked for more again`, async () => {
    const kernel = new OldKernel(lacks);
    await using guard = new HostGuard(
      undefined,
      () => true,
      () => kernel,
    );
    await guard.put(SPEC);
    const isEarly = !('refuse' in lacks || 'untranslated' in lacks);
    assert.equal(kernel.chainsOf('inet').includes('prerouting'), isEarly);
    assert.ok(kernel.chainsOf('inet').includes('forward'));
    assert.equal(guard.egress, egress);
    assert.deepEqual(kernel.chainsOf('netdev'), egress === 'guarded' ? ['egress'] : []);
    kernel.puts = 0;
    await guard.put(SPEC);
    assert.equal(kernel.puts, 2, 'the filters and the way back');
  });
}
