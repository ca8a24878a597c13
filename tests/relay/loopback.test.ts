import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test, type TestContext } from 'node:test';
import * as fc from 'fast-check';
import { addNamespace, deleteNamespace, NETNS_FOLDER } from '../../src/lab/namespace-name.ts';
import { run } from '../../src/lab/process.ts';
import { makeFolder } from './support/folder.ts';
import { FUZZ_RUNS, fuzzSeed, mutated } from './support/mutate.ts';
import { assertError, buildTestRelay, type Outcome, runRelay } from './support/relay.ts';

before(buildTestRelay);

const VERSIONS = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'];
let made = 0;

/** A container's namespace as a runtime makes it: with `lo` down. */
class Container {
  readonly name = `lo-${process.pid}-${(made += 1)}`;
  readonly path = `${NETNS_FOLDER}/${this.name}`;

  static async create(t: TestContext): Promise<Container> {
    const container = new Container();
    await addNamespace(container.name);
    t.after(() => deleteNamespace(container.name));
    return container;
  }

  async call(command: string, conf: object = {}, env: Record<string, string> = {}): Promise<Outcome> {
    return await loopback(command, conf, { CNI_NETNS: this.path, ...env });
  }

  async isUp(): Promise<boolean> {
    return (await run(['ip', '-n', this.name, 'link', 'show', 'lo'])).includes('<LOOPBACK,UP');
  }

  async ip(...args: readonly string[]): Promise<void> {
    await run(['ip', '-n', this.name, ...args]);
  }
}

function loopback(command: string, conf: object, env: Record<string, string>): Promise<Outcome> {
  return runRelay({
    plugin: 'loopback',
    command,
    stdin: JSON.stringify({ cniVersion: '1.1.0', name: 'lo', type: 'loopback', ...conf }),
    env: { CNI_CONTAINERID: 'c', CNI_IFNAME: 'lo', CNI_PATH: '/opt/cni/bin', ...env },
  });
}

function ipsOf(version: string): readonly object[] {
  return ['127.0.0.1/8', '::1/128'].map((address, at) => ({
    ...(version < '1.0.0' ? { version: at === 0 ? '4' : '6' } : {}),
    interface: 0,
    address,
  }));
}

/** An ADD of a namespace that is not there, with these bytes as configuration. */
function addWith(stdin: string): Promise<Outcome> {
  const env = { CNI_CONTAINERID: 'c', CNI_IFNAME: 'lo', CNI_NETNS: '/not/there' };
  return runRelay({ plugin: 'loopback', command: 'ADD', stdin, env });
}

describe('ADD', () => {
  for (const version of VERSIONS) {
    test(`switches lo on and says so in version ${version}`, async (t) => {
      const container = await Container.create(t);
      const outcome = await container.call('ADD', { cniVersion: version });
      assert.equal(outcome.code, 0);
      const old = { ip4: { ip: '127.0.0.1/8' }, ip6: { ip: '::1/128' }, dns: {} };
      const interfaces = [{ name: 'lo', mac: '00:00:00:00:00:00', sandbox: container.path }];
      assert.deepEqual(JSON.parse(outcome.stdout), {
        cniVersion: version,
        ...(version < '0.3.0' ? old : { interfaces, ips: ipsOf(version) }),
      });
      assert.ok(await container.isUp());
      assert.deepEqual(await container.call('ADD', { cniVersion: version }), outcome, 'again');
    });
  }

  test('without a version the answer is one of the first', async (t) => {
    const container = await Container.create(t);
    for (const cniVersion of [undefined, null, '']) {
      const { stdout } = await container.call('ADD', { cniVersion });
      assert.match(stdout, /^\{"cniVersion":"0\.1\.0","ip4"/);
    }
  });

  test('names the addresses that are there', async (t) => {
    const container = await Container.create(t);
    await container.ip('link', 'set', 'lo', 'up');
    await container.ip('addr', 'add', '10.9.9.9/32', 'dev', 'lo');
    await container.ip('link', 'add', 'other', 'type', 'veth', 'peer', 'name', 'peer');
    await container.ip('addr', 'add', '127.9.9.9/24', 'dev', 'other');
    const addresses = async (): Promise<readonly string[]> => {
      const result = JSON.parse((await container.call('ADD')).stdout) as { ips?: { address: string }[] };
      return (result.ips ?? []).map(({ address }) => address);
    };
    assert.deepEqual(await addresses(), ['127.0.0.1/8', '::1/128']);
    await container.ip('-6', 'addr', 'flush', 'dev', 'lo');
    assert.deepEqual(await addresses(), ['127.0.0.1/8']);
    await container.ip('-4', 'addr', 'flush', 'dev', 'lo');
    assert.deepEqual(await addresses(), []);
  });

  test('finds them among a thousand others', async (t) => {
    const container = await Container.create(t);
    await container.ip('link', 'add', 'other', 'type', 'veth', 'peer', 'name', 'peer');
    const lines = Array.from(
      { length: 1000 },
      (_, at) => `addr add 10.8.${at >> 8}.${at & 255}/32 dev other\n`,
    );
    await using folder = await makeFolder();
    const batch = join(folder.path, 'batch');
    await writeFile(batch, lines.join(''));
    await container.ip('-batch', batch);
    assert.match(
      (await container.call('ADD')).stdout,
      /"127\.0\.0\.1\/8"\},\{"interface":0,"address":"::1\/128"/,
    );
  });

  test('in a chain the result is that of the plugins before', async (t) => {
    const container = await Container.create(t);
    const prevResult = { cniVersion: '1.0.0', ips: [{ address: '10.0.0.2/24' }], dns: { domain: 'ä"' } };
    const outcome = await container.call('ADD', { cniVersion: '1.0.0', prevResult });
    assert.deepEqual(JSON.parse(outcome.stdout), prevResult);
    assert.ok(await container.isUp());
    assert.match((await container.call('ADD', { prevResult: null })).stdout, /127\.0\.0\.1/);
    assertError(await container.call('ADD', { prevResult: [1] }), 7, /^prevResult must be an object$/);
  });

  test('a path of any characters comes back', async (t) => {
    const container = await Container.create(t);
    await using folder = await makeFolder();
    const path = join(folder.path, 'a "path"\n\\ä');
    await symlink(container.path, path);
    const { stdout } = await container.call('ADD', {}, { CNI_NETNS: path });
    const result = JSON.parse(stdout) as { interfaces: { sandbox: string }[] };
    assert.equal(result.interfaces[0]?.sandbox, path);
  });
});

describe('CHECK, DEL, GC, STATUS', () => {
  test('CHECK is content as long as lo is up', async (t) => {
    const container = await Container.create(t);
    assertError(await container.call('CHECK'), 150, /^the interface lo is down \(CNI_NETNS \//);
    await container.call('ADD');
    assert.deepEqual(await container.call('CHECK'), { code: 0, stdout: '' });
  });

  test('DEL switches lo off, as often as it is asked', async (t) => {
    const container = await Container.create(t);
    await container.call('ADD');
    for (const version of VERSIONS) {
      assert.deepEqual(await container.call('DEL', { cniVersion: version }), { code: 0, stdout: '' });
      assert.ok(!(await container.isUp()));
    }
  });

  test('DEL of a namespace that is gone is a success', async () => {
    await using folder = await makeFolder();
    // What is left when a namespace is unmounted and its file is not removed.
    const file = join(folder.path, 'file');
    await writeFile(file, '');
    for (const path of ['', '/run/netns/not-there', `${file}/below`, file, '/proc/self/ns/mnt']) {
      assert.deepEqual(await loopback('DEL', {}, { CNI_NETNS: path }), { code: 0, stdout: '' }, path);
    }
  });

  test('there is nothing to be done for GC and STATUS', async () => {
    for (const command of ['GC', 'STATUS'])
      assert.deepEqual(await loopback(command, {}, {}), { code: 0, stdout: '' });
  });

  test('a verb is an error in a version that does not have it', async () => {
    for (const [command, newest] of [
      ['CHECK', '0.3.1'],
      ['GC', '1.0.0'],
      ['STATUS', '1.0.0'],
    ] as const) {
      const outcome = await loopback(command, { cniVersion: newest }, { CNI_NETNS: '/not/there' });
      const error = assertError(outcome, 1, new RegExp(`^${command} is not in the cniVersion`));
      assert.equal(error.cniVersion, newest);
    }
  });
});

describe('refused is', () => {
  test('a namespace that is none', async () => {
    await using folder = await makeFolder();
    await mkdir(join(folder.path, 'folder'));
    await run(['mkfifo', join(folder.path, 'fifo')]);
    for (const [path, code] of [
      ['/run/netns/not-there', 3],
      ['/etc/passwd', 104],
      ['/proc/self/ns/mnt', 104],
      [join(folder.path, 'folder'), 104],
      [join(folder.path, 'fifo'), 104],
      [`/${'x/'.repeat(3000)}`, 104],
    ] as const) {
      for (const command of ['ADD', 'CHECK'])
        assertError(await loopback(command, {}, { CNI_NETNS: path }), code, /\(CNI_NETNS \//);
    }
  });

  test("the plugin's own namespace, whose lo stays as it is", async (t) => {
    const container = await Container.create(t);
    await container.ip('link', 'set', 'lo', 'up');
    const within = async (command: string, netns: string, override = ''): Promise<Outcome> =>
      await runRelay({
        plugin: 'loopback',
        command,
        stdin: '{"cniVersion":"1.1.0","name":"lo"}',
        env: { CNI_CONTAINERID: 'c', CNI_IFNAME: 'lo', CNI_NETNS: netns, CNI_NETNS_OVERRIDE: override },
        script: `exec nsenter --net=${container.path} -- "$0"`,
      });
    for (const path of [container.path, '/proc/self/ns/net', '/proc/thread-self/ns/net']) {
      for (const command of ['ADD', 'CHECK', 'DEL'])
        assertError(await within(command, path), 104, /is that of the plugin itself/);
    }
    assert.ok(await container.isUp());
    for (const override of ['1', 'true', 'TRUE'])
      assert.equal((await within('DEL', container.path, override)).code, 0, override);
    assert.ok(!(await container.isUp()));
  });

  test('a call without what it needs, each by its name', async () => {
    const needs = {
      ADD: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
      CHECK: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
      DEL: ['CNI_CONTAINERID', 'CNI_IFNAME'],
    };
    for (const [command, variables] of Object.entries(needs)) {
      for (const variable of variables) {
        const outcome = await loopback(command, {}, { CNI_NETNS: '/not/there', [variable]: '' });
        assertError(outcome, 4, new RegExp(`^${variable} is not set$`));
      }
    }
    assertError(await loopback('del', {}, {}), 4, /^CNI_COMMAND is none of ADD, DEL,/);
    assertError(await runRelay({ plugin: 'loopback' }), 4, /^CNI_COMMAND is not set$/);
  });

  test('a configuration that is none', async () => {
    const deep = `{"cniVersion":"1.1.0","name":"n","a":${'['.repeat(64)}${']'.repeat(64)}}`;
    for (const text of ['', '{bad', '[]', '7', '{"name":"\xff"}x', deep])
      assertError(await addWith(text), 6, /is not a JSON object/);
    assertError(await addWith(' '.repeat(2 ** 20 + 1)), 6, /is larger than 1 MiB/);
    assertError(await addWith('{"cniVersion":"1.1.0"}'), 7, /^name must be a string/);
    assertError(await addWith('{"cniVersion":"1.1.0","name":7}'), 7, /^name must be a string/);
    assertError(await addWith('{"cniVersion":7,"name":"n"}'), 7, /^cniVersion must be a string$/);
    for (const version of ['2.0.0', '1.1', '1.1.0-and-much-more', '1.1.0\\ud800'])
      assertError(
        await addWith(`{"cniVersion":"${version}","name":"n"}`),
        1,
        /^cniVersion is none of \["0\.1\.0"/,
      );
  });

  test('a stdin that does not end', async () => {
    const outcome = await runRelay({
      plugin: 'loopback',
      command: 'STATUS',
      keepStdinOpen: true,
      timeoutMs: 50,
    });
    assertError(outcome, 5, /cannot be read from stdin/);
  });
});

test('VERSION is answered without a configuration', async () => {
  const { code, stdout } = await runRelay({ plugin: 'loopback', command: 'VERSION', keepStdinOpen: true });
  assert.equal(code, 0);
  assert.deepEqual(JSON.parse(stdout), { cniVersion: '1.1.0', supportedVersions: VERSIONS });
});

test('whatever comes as configuration, the runtime reads JSON and an exit code', async (t) => {
  t.diagnostic(`RELAY_FUZZ_SEED=${fuzzSeed}`);
  const seeds = [
    '{"cniVersion":"1.1.0","name":"n","prevResult":{"cniVersion":"1.1.0","ips":[]}}',
    '{"CNIVERSION":"0.2.0","Name":"\\u00e4","prevresult":null}',
  ];
  const tokens = [
    ...Array.from('{}[],:"\\\0'),
    'null',
    '"prevResult":',
    '{}',
    '\\ud800',
    '\xff',
    '"1.0.0"',
    'cniVersion',
  ];
  const container = await Container.create(t);
  const env = { CNI_CONTAINERID: 'c', CNI_IFNAME: 'lo', CNI_NETNS: container.path };
  await fc.assert(
    fc.asyncProperty(mutated(seeds, tokens), async (stdin) => {
      // runRelay itself asserts what must hold for every call.
      await runRelay({ plugin: 'loopback', command: 'ADD', stdin, env });
    }),
    { numRuns: FUZZ_RUNS, seed: fuzzSeed },
  );
});
