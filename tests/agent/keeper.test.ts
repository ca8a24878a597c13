import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import type { Keeper } from '../../src/agent/keeper.ts';
import { networkWish, pluginWish } from '../../src/agent/wishes.ts';
import { AGENT_RECORD } from '../../src/install/manifest.ts';
import { now } from '../../src/kernel/clock.ts';
import { openTimers } from '../../src/kernel/timers.ts';
import { run } from '../../src/lab/process.ts';
import { waitFor } from '../../src/lab/wait.ts';
import { namesIn } from './support/agents.ts';
import { CONFLIST, LOOPBACK, NETWORK, Node, RELAY } from './support/node.ts';

const KEPT_DHCP = '.dhcp.before-leasehold';

test('plugins come before the network configuration, each whole, and go in the reverse order', async (t) => {
  const node = new Node(t);
  const order: string[] = [];
  const keeper = node.keeper(t, {
    before: (what) => {
      if (what.startsWith('rename ')) order.push(what.slice(what.lastIndexOf('/') + 1));
    },
  });
  keeper.start();
  node.assertKept();
  assert.equal(keeper.problem, undefined);
  assert.deepEqual(order, ['leasehold', 'dhcp', CONFLIST]);
  keeper.close();
  const gone: string[] = [];
  assert.deepEqual(await node.remove((what) => gone.push(what.slice(what.lastIndexOf('/') + 1))), []);
  assert.deepEqual(gone.slice(0, 3), [CONFLIST, 'leasehold', 'dhcp']);
  for (const folder of [node.bin, node.conf, node.state]) assert.ok(!existsSync(folder), folder);
});

test('what was there under our names is kept aside, and back at the end as it was', async (t) => {
  const node = new Node(t).settled();
  writeFileSync(node.conflist, '{"mine":true}');
  const { ino } = statSync(node.plugin('dhcp'));
  const before = node.snapshot();
  const keeper = node.keeper(t);
  keeper.start();
  node.assertKept();
  assert.equal(readFileSync(node.plugin(KEPT_DHCP), 'utf8'), 'the Go plugin');
  keeper.close();
  assert.deepEqual(await node.remove(), []);
  assert.deepEqual(node.snapshot(), before);
  assert.equal(statSync(node.plugin('dhcp')).ino, ino);
});

describe('what others do to it is undone:', () => {
  const attacks: Readonly<Record<string, (node: Node) => void>> = {
    'a file is removed': (node) => rmSync(node.plugin('leasehold')),
    'the folder of plugins is emptied, as NixOS does': (node) => {
      for (const name of namesIn(node.bin)) rmSync(node.plugin(name));
    },
    'the folder is removed': (node) => rmSync(node.bin, { recursive: true }),
    'the folder is made anew': (node) => {
      rmSync(node.bin, { recursive: true });
      mkdirSync(node.bin);
    },
    'the network configuration is renamed, as Cilium does': (node) =>
      renameSync(node.conflist, `${node.conflist}.cilium_bak`),
    'the network configuration is edited': (node) => writeFileSync(node.conflist, '{}'),
    'a plugin is written over in its place': (node) => writeFileSync(node.plugin('dhcp'), 'another'),
    'a plugin is emptied': (node) => writeFileSync(node.plugin('leasehold'), ''),
    'a plugin loses its mode': (node) => chmodSync(node.plugin('leasehold'), 0o600),
  };
  for (const [name, attack] of Object.entries(attacks)) {
    test(name, async (t) => {
      const node = new Node(t).settled();
      const before = node.snapshot();
      const keeper = node.keeper(t);
      keeper.start();
      attack(node);
      keeper.look();
      node.assertKept();
      assert.equal(keeper.problem, undefined);
      assert.ok(node.heard(/ours is put back/, 'warn') > 0);
      keeper.close();
      await node.remove();
      // What they wrote themselves, or what we kept for them in a folder that they removed, is theirs.
      const others = /\.saved|dhcp/;
      assert.deepEqual(
        node.snapshot().filter((line) => !others.test(line)),
        before.filter((line) => !others.test(line)),
      );
    });
  }
});

/** A keeper that has begun, of `loopback` and the network configuration alone. */
function withLoopback(t: TestContext, node: Node, program = LOOPBACK): Keeper {
  const keeper = node.keeper(t, {
    wishes: [pluginWish('loopback', Buffer.from(program)), networkWish(CONFLIST, NETWORK)],
  });
  keeper.start();
  return keeper;
}

describe('loopback', () => {
  test("is put where there is none, put back when somebody takes it away, and goes with the agent's other files", async (t) => {
    const node = new Node(t).settled();
    const before = node.snapshot();
    const keeper = withLoopback(t, node);
    assert.equal(readFileSync(node.plugin('loopback'), 'utf8'), LOOPBACK);
    assert.equal(statSync(node.plugin('loopback')).mode & 0o7777, 0o755);
    for (const attack of [rmSync, (path: string): void => writeFileSync(path, '')]) {
      attack(node.plugin('loopback'));
      keeper.look();
      assert.equal(readFileSync(node.plugin('loopback'), 'utf8'), LOOPBACK);
    }
    keeper.close();
    withLoopback(t, node, 'of a newer version').close();
    assert.equal(readFileSync(node.plugin('loopback'), 'utf8'), 'of a newer version');
    assert.deepEqual(await node.remove(), []);
    assert.deepEqual(node.snapshot(), before);
  });

  const theirs: Readonly<Record<string, (path: string) => void>> = {
    'a file': (path) => writeFileSync(path, 'theirs', { mode: 0o755 }),
    'a link to one big program': (path) => symlinkSync('cni', path),
  };
  for (const [what, put] of Object.entries(theirs)) {
    test(`of somebody else stays, before and after: ${what}`, async (t) => {
      const node = new Node(t).settled();
      put(node.plugin('loopback'));
      const { ino } = lstatSync(node.plugin('loopback'));
      const names = namesIn(node.bin);
      const keeper = withLoopback(t, node);
      assert.equal(keeper.problem, undefined);
      assert.equal(lstatSync(node.plugin('loopback')).ino, ino);
      keeper.close();
      assert.deepEqual(await node.remove(), []);
      assert.deepEqual(namesIn(node.bin), names);
    });

    test(`gives way to ${what} that comes later`, async (t) => {
      const node = new Node(t).settled();
      const keeper = withLoopback(t, node);
      rmSync(node.plugin('loopback'));
      put(node.plugin('loopback'));
      const { ino } = lstatSync(node.plugin('loopback'));
      keeper.look();
      assert.equal(keeper.problem, undefined);
      keeper.close();
      assert.deepEqual(await node.remove(), [], 'it is nothing that was left over');
      assert.equal(lstatSync(node.plugin('loopback')).ino, ino);
    });
  }

  test('that comes in the moment in which ours is put stays', async (t) => {
    const node = new Node(t).settled();
    const keeper = node.keeper(t, {
      wishes: [pluginWish('loopback', Buffer.from(LOOPBACK)), networkWish(CONFLIST, NETWORK)],
      before: (what) => {
        if (what === `rename ${node.plugin('loopback')}`) writeFileSync(node.plugin('loopback'), 'theirs');
      },
    });
    keeper.start();
    assert.equal(readFileSync(node.plugin('loopback'), 'utf8'), 'theirs');
    assert.deepEqual(namesIn(node.bin), ['dhcp', 'loopback']);
    keeper.close();
    assert.deepEqual(await node.remove(), []);
    assert.equal(readFileSync(node.plugin('loopback'), 'utf8'), 'theirs');
  });
});

test('one binary behind many names is never written to: a link at our name is replaced', async (t) => {
  const node = new Node(t);
  mkdirSync(node.bin, { recursive: true });
  const multicall = node.plugin('cni');
  writeFileSync(multicall, 'all plugins in one', { mode: 0o755 });
  symlinkSync('cni', node.plugin('bridge'));
  symlinkSync('cni', node.plugin('dhcp'));
  linkSync(multicall, node.plugin('leasehold'));
  const keeper = node.keeper(t);
  keeper.start();
  node.assertKept();
  rmSync(node.plugin('dhcp'));
  symlinkSync('cni', node.plugin('dhcp'));
  keeper.look();
  node.assertKept();
  assert.equal(readFileSync(multicall, 'utf8'), 'all plugins in one');
  keeper.close();
  await node.remove();
  assert.equal(readlinkSync(node.plugin('dhcp')), 'cni');
  assert.equal(statSync(node.plugin('leasehold')).ino, statSync(multicall).ino);
  assert.deepEqual(namesIn(node.bin), ['bridge', 'cni', 'dhcp', 'leasehold']);
});

test('a fight is said with its remedy, and answered more and more rarely', (t) => {
  const node = new Node(t);
  const keeper = node.keeper(t);
  keeper.start();
  const isBackAfter = (ms: number): boolean => {
    renameSync(node.conflist, `${node.conflist}.cilium_bak`);
    keeper.look();
    node.world.pass(ms);
    return existsSync(node.conflist);
  };
  for (let nth = 0; nth < 5; nth += 1) assert.ok(isBackAfter(500), `${nth}`);
  assert.equal(node.heard(/again and again.*cni\.exclusive=false/, 'error'), 1);
  // From 1 s after the fifth on, then twice as long each time.
  assert.ok(!isBackAfter(400));
  assert.match(keeper.problem ?? '', /05-leasehold\.conflist is taken away by somebody again and again/);
  node.world.pass(200);
  assert.ok(existsSync(node.conflist));
  assert.equal(keeper.problem, undefined);
  assert.ok(!isBackAfter(1500));
  node.world.pass(1000);
  assert.ok(existsSync(node.conflist));
});

test('a configuration that a runtime would take before ours is named, and not touched', (t) => {
  const node = new Node(t).settled();
  writeFileSync(join(node.conf, '00-multus.conf'), '{}');
  writeFileSync(join(node.conf, '01-note.txt'), '');
  const keeper = node.keeper(t);
  keeper.start();
  keeper.look();
  assert.equal(node.heard(/that is not 05-leasehold.*"earlier":\["00-multus\.conf"\]/, 'warn'), 1);
  rmSync(join(node.conf, '00-multus.conf'));
  keeper.look();
  assert.equal(node.heard(/is the first network configuration now/), 1);
  assert.ok(existsSync(join(node.conf, '10-flannel.conflist')));
});

test('what cannot be put is a reason, and no network configuration is put without its plugin', (t) => {
  const node = new Node(t);
  mkdirSync(node.plugin('leasehold'), { recursive: true });
  const keeper = node.keeper(t);
  keeper.start();
  assert.match(keeper.problem ?? '', /leasehold is neither a file nor a link: move it away/);
  assert.ok(!existsSync(node.conflist));
  rmSync(node.plugin('leasehold'), { recursive: true });
  node.world.pass(10_000);
  assert.equal(keeper.problem, undefined);
  node.assertKept();
  rmSync(node.bin, { recursive: true });
  writeFileSync(node.bin, 'no folder');
  keeper.look();
  assert.match(keeper.problem ?? '', /cannot be written to/);
  assert.ok(!keeper.isStuck);
});

test('a full file system is tried now and then, not without a pause, and what is half there goes', async (t) => {
  const node = new Node(t);
  mkdirSync(node.bin, { recursive: true });
  await run(['mount', '-t', 'tmpfs', '-o', 'size=64k', 'full', node.bin]);
  // Before the folder is removed: hooks run in the order of their registration.
  using mounted = new DisposableStack();
  mounted.defer(() => execFileSync('umount', [node.bin]));
  const large = Buffer.alloc(256 * 1024, 'a');
  let attempts = 0;
  const keeper = node.keeper(t, {
    wishes: [pluginWish('leasehold', large)],
    before: (what) => {
      if (what.startsWith('put ')) attempts += 1;
    },
  });
  keeper.start();
  mounted.defer(() => keeper.close());
  assert.match(keeper.problem ?? '', /ENOSPC/);
  assert.deepEqual(namesIn(node.bin), [], 'nothing half');
  // A notice of the keeper's own file beside the plugin has come before that of this one.
  const { promise: noticed, resolve } = Promise.withResolvers<void>();
  const watcher = watch(node.bin, (_, name) => {
    if (name === 'other') resolve();
  });
  mounted.defer(() => watcher.close());
  writeFileSync(node.plugin('other'), '');
  await noticed;
  node.world.pass(9000);
  assert.equal(attempts, 1);
  await run(['mount', '-o', 'remount,size=1m', node.bin]);
  node.world.pass(1000);
  assert.equal(attempts, 2);
  assert.equal(keeper.problem, undefined);
  assert.equal(statSync(node.plugin('leasehold')).size, large.length);
});

for (const [name, lose] of Object.entries({
  emptied: (state: string) => rmSync(state, { recursive: true }),
  'written over': (state: string) => writeFileSync(join(state, AGENT_RECORD), 'no record'),
})) {
  test(`a state folder that is ${name} while the agent runs leaves no files of nobody`, async (t) => {
    for (const isSeen of [true, false]) {
      const node = new Node(t).settled();
      const before = node.snapshot();
      const keeper = node.keeper(t);
      keeper.start();
      lose(node.state);
      if (isSeen) keeper.look();
      keeper.close();
      assert.ok(node.heard(/it is written again/, 'warn') > 0);
      assert.deepEqual(await node.remove(), []);
      assert.deepEqual(node.snapshot(), before);
    }
  });
}

test('a newer agent knows what an older one put, and takes away what it does not want any more', async (t) => {
  const node = new Node(t).settled();
  const before = node.snapshot();
  const old = node.keeper(t, { relay: 'an old relay' });
  old.start();
  old.close();
  const next = node.keeper(t);
  next.start();
  node.assertKept();
  assert.equal(readFileSync(node.plugin(KEPT_DHCP), 'utf8'), 'the Go plugin');
  next.close();
  // Made before the other one has put anything, as a standby is.
  const fresh = new Node(t).settled();
  const standby = fresh.keeper(t);
  const first = fresh.keeper(t, { relay: 'an old relay' });
  first.start();
  first.close();
  standby.start();
  standby.close();
  await fresh.remove();
  assert.deepEqual(fresh.snapshot(), before);

  const other = node.keeper(t, {
    wishes: [pluginWish('leasehold', Buffer.from(RELAY)), networkWish('03-lan.conflist', NETWORK)],
  });
  other.start();
  assert.equal(readFileSync(node.plugin('dhcp'), 'utf8'), 'the Go plugin');
  assert.deepEqual(namesIn(node.conf), ['03-lan.conflist', '10-flannel.conflist']);
  other.close();
  assert.deepEqual(await node.remove(), []);
  assert.deepEqual(node.snapshot(), before);
});

test('a plugin that somebody has put in our place since is his, and said', async (t) => {
  const node = new Node(t);
  const keeper = node.keeper(t);
  keeper.start();
  keeper.close();
  writeFileSync(node.plugin('leasehold'), 'theirs');
  writeFileSync(node.conflist, '{"edited":true}');
  assert.deepEqual(await node.remove(), [node.plugin('leasehold')]);
  assert.deepEqual(namesIn(node.bin), ['leasehold']);
  assert.deepEqual(namesIn(node.conf), [`${CONFLIST}.saved`]);
});

test('changes are noticed by themselves, also in a folder that was made anew', async (t) => {
  const node = new Node(t);
  using timers = openTimers();
  const keeper = node.keeper(t, { clock: { now }, timers });
  keeper.start();
  const isBack = async (): Promise<void> => {
    await waitFor('all to be back', () => {
      try {
        node.assertKept();
        return true;
      } catch (error) {
        if (error instanceof assert.AssertionError || (error instanceof Error && 'code' in error))
          return false;
        throw error;
      }
    });
  };
  rmSync(node.plugin('leasehold'));
  await isBack();
  rmSync(node.bin, { recursive: true });
  await isBack();
  rmSync(node.plugin('dhcp'));
  await isBack();
  renameSync(node.conflist, `${node.conflist}.cilium_bak`);
  await isBack();
  keeper.close();
});

test('a name that no runtime reads, and a text that is no list, are refused by their flag', () => {
  for (const name of ['lan.conf', '../x.conflist', '.x.conflist', 'a/b.conflist', '']) {
    assert.throws(() => networkWish(name, NETWORK), /^Error: --conflist-name/);
  }
  for (const text of ['', '[]', '{"type":"leasehold"}']) {
    assert.throws(() => networkWish(CONFLIST, text), /^Error: --conflist: /);
  }
});
