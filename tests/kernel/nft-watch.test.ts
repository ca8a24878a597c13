import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { HostGuard } from '../../src/kernel/guard.ts';
import { watchNftables } from '../../src/kernel/nft-watch.ts';
import { asRoot, openFds, Sandbox, until } from './support/sandbox.ts';

const SPEC = { networks: [], uplinks: ['eth0'], shims: [] } as const;
/** Far more notices than the receive buffer holds. */
const FLOOD = 30_000;

function nftIn(sandbox: Sandbox): (script: string) => void {
  return (script) => {
    execFileSync('nsenter', [`--net=${sandbox.path('node')}`, 'nft', '-f', '-'], { input: script });
  };
}

test(
  'changes of others to our tables are told, once each; our own and other tables are not',
  asRoot,
  async () => {
    await using sandbox = new Sandbox('nftwatch');
    const netns = sandbox.namespace('node');
    const nft = nftIn(sandbox);
    await using guard = new HostGuard(netns);
    const seen = { changes: 0, lost: 0 };
    // The first one also opens what stays open: the process's own namespace, and the loop's.
    watchNftables(
      () => undefined,
      () => undefined,
      netns,
    ).close();
    await guard.isIntact();
    const fds = openFds();
    const watch = watchNftables(
      () => seen.changes++,
      () => seen.lost++,
      netns,
    );
    try {
      await guard.put(SPEC);
      nft('add table inet other; add chain inet other c; add table ip6 leasehold; add table inet leasehold2');
      nft('add rule inet leasehold forward accept');
      await until('the rule is told', () => seen.changes === 1);
      await guard.put(SPEC);
      nft('flush ruleset');
      await until('the removal is told', () => seen.changes === 2);
      nft('add table netdev leasehold');
      await until('the other family is told', () => seen.changes === 3);
      assert.equal(seen.lost, 0);
    } finally {
      watch.close();
      watch.close();
    }
    nft('flush ruleset');
    await guard.close();
    await until('its descriptors are closed', () => openFds() <= fds);
    assert.equal(seen.changes, 3);
  },
);

test('a flood is told as a loss, and what comes after it is heard', asRoot, async () => {
  await using sandbox = new Sandbox('nftwatch');
  const netns = sandbox.namespace('node');
  const nft = nftIn(sandbox);
  const seen = { changes: 0, lost: 0 };
  const watch = watchNftables(
    () => seen.changes++,
    () => seen.lost++,
    netns,
  );
  try {
    const rules = Array.from(
      { length: FLOOD },
      (_, i) => `add rule ip kube c ip daddr 10.0.${(i >> 8) & 255}.${i & 255} accept`,
    );
    // On the loop, so that the watch cannot read meanwhile.
    nft(`add table ip kube\nadd chain ip kube c\n${rules.join('\n')}\n`);
    await until('the loss is told', () => seen.lost > 0);
    nft('add table inet leasehold');
    await until('the next is heard', () => seen.changes === 1);
  } finally {
    watch.close();
  }
});
