import assert from 'node:assert/strict';
import { linkSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, test, type TestContext } from 'node:test';
import { FolderHost } from './support/host.ts';
import { snapshot } from './support/snapshot.ts';

const BIN = '/opt/cni/bin';

class Crash extends Error {}

function usedHost(t: TestContext): FolderHost {
  const host = new FolderHost(t, { replace: true });
  writeFileSync(host.path(`${BIN}/dhcp`), 'the Go plugin');
  writeFileSync(host.path(`${BIN}/cni`), 'many in one');
  symlinkSync('cni', host.path(`${BIN}/macvlan`));
  linkSync(host.path(`${BIN}/cni`), host.path(`${BIN}/route-override`));
  writeFileSync(host.path('/etc/cni/net.d/05-leasehold.conflist'), '{"name":"of a person"}');
  return host;
}

/** The manifest is written anew each time. */
function all(host: FolderHost): readonly string[] {
  return snapshot(host.root, ['/']).filter((line) => !line.includes('/install.json '));
}

/** Times, inodes and owners of what install writes differ between two installs; names, modes and contents do not. */
function contents(host: FolderHost): readonly string[] {
  return all(host).map((line) => line.replace(/ inode \d+/, '').replace(/ of \S+Z/, ''));
}

function stopAt(count: number): { readonly before: () => void; readonly reached: () => boolean } {
  let calls = 0;
  return {
    before: () => {
      calls += 1;
      if (calls === count) throw new Crash();
    },
    reached: () => calls >= count,
  };
}

/** Stops `act` before its first step, its second and so on, each time on a new host, until it gets through. */
async function atEveryStep(
  t: TestContext,
  prepare: (host: FolderHost) => Promise<unknown>,
  act: (host: FolderHost, before: () => void) => Promise<unknown>,
  check: (host: FolderHost, untouched: readonly string[]) => Promise<void>,
): Promise<number> {
  for (let count = 1; ; count++) {
    const host = usedHost(t);
    const untouched = all(host);
    await prepare(host);
    const { before, reached } = stopAt(count);
    if (reached()) return count;
    try {
      await act(host, before);
      return count;
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
    }
    await check(host, untouched);
  }
}

describe('an install that stops before any of its steps', () => {
  test('is undone by uninstall', async (t) => {
    const steps = await atEveryStep(
      t,
      () => Promise.resolve(),
      (host, before) => host.install({}, before),
      async (host, untouched) => {
        const { left } = await host.uninstall();
        assert.deepEqual(left, []);
        assert.deepEqual(all(host), untouched);
      },
    );
    assert.ok(steps > 8, `${steps}`);
  });

  test('is continued by another install, and undone after that', async (t) => {
    const whole = usedHost(t);
    await whole.install();
    const complete = contents(whole);
    await atEveryStep(
      t,
      () => Promise.resolve(),
      (host, before) => host.install({}, before),
      async (host, untouched) => {
        await host.install();
        assert.deepEqual(contents(host), complete);
        await host.uninstall();
        assert.deepEqual(all(host), untouched);
      },
    );
  });
});

test('an uninstall that stops before any of its steps is continued', async (t) => {
  const steps = await atEveryStep(
    t,
    (host) => host.install(),
    (host, before) => host.uninstall(before),
    async (host, untouched) => {
      await host.uninstall();
      assert.deepEqual(all(host), untouched);
    },
  );
  assert.ok(steps > 8, `${steps}`);
});

test('a crash between putting aside and putting in its place loses nothing', async (t) => {
  const host = usedHost(t);
  const untouched = all(host);
  const path = host.path(`${BIN}/dhcp`);
  await assert.rejects(
    host.install({}, (what) => {
      if (what !== path) return;
      // As `keep` leaves it: two names, one inode; and half a new file.
      linkSync(path, host.path(`${BIN}/.dhcp.before-leasehold`));
      writeFileSync(host.path(`${BIN}/.dhcp.leasehold-new`), 'hal');
      throw new Crash();
    }),
    Crash,
  );
  await host.uninstall();
  assert.deepEqual(all(host), untouched);
});
