import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parseDriverCpu, parseDriverOutput } from '../../bench/driver.ts';
import { parseFloor } from '../../bench/floor.ts';
import { uniquePrefix } from '../../src/lab/names.ts';
import { Namespace } from '../../src/lab/namespace.ts';
import { run } from '../../src/lab/process.ts';
import { Resources } from '../../src/lab/resources.ts';

// The C programs of the benchmark are built and run here: else nobody would notice for weeks that one broke.
const SOURCES = join(import.meta.dirname, '..', '..', 'bench');
const resources = new Resources();
let folder = '';

async function build(name: string): Promise<string> {
  const program = join(folder, name);
  const flags = ['-std=c11', '-O2', '-Wall', '-Wextra', '-Werror', '-pthread'];
  await run(['gcc', ...flags, '-o', program, join(SOURCES, `${name}.c`)]);
  return program;
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), `leasehold-bench-${process.pid}-`));
});

after(async () => {
  await resources[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

test('floor.c makes, configures and removes an interface in each namespace', async () => {
  const prefix = uniquePrefix();
  const make = (name: string): Promise<Namespace> => Namespace.create(`${prefix}-${name}`, resources);
  const [node, lan, first, second] = [
    await make('node'),
    await make('lan'),
    await make('a'),
    await make('b'),
  ];
  await node.ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'port', 'netns', lan.name);
  await node.ip('link', 'set', 'eth0', 'up');
  await lan.ip('link', 'set', 'port', 'up');
  const program = await build('floor');
  const words = [program, 'eth0', 'net1', '10.77.0.40/16', '10.77.0.1'];
  const times = parseFloor(
    await node.run(words, { input: `${first.path}\n${second.path}\n${first.path}\n` }),
  );
  assert.equal(times.length, 3);
  for (const { link, enter, address } of times) assert.ok(link > 0 && enter > 0 && address > 0);
  for (const pod of [first, second]) assert.doesNotMatch(await pod.ip('-br', 'link'), /net1/);
  await assert.rejects(node.run(words, { input: '/nowhere\n' }), /\/nowhere: No such file/);
});

test("driver.c times programs, and takes the daemon's processor time", async () => {
  const [driver, empty] = [await build('driver'), await build('empty')];
  const asked = [driver, 'VERSION', empty, '/dev/null', 'eth0', '2', '10'];
  const input = 'a -\nb -\n';
  const said = await run([...asked, String(process.pid)], { input });
  const done = parseDriverOutput(said);
  assert.deepEqual(
    done.map(({ id, status }) => [id, status]),
    [
      ['a', 0],
      ['b', 0],
    ],
  );
  for (const { startMs, endMs } of done) assert.ok(endMs > startMs);
  assert.ok((parseDriverCpu(said) ?? -1) >= 0);
  assert.equal(parseDriverCpu(await run([...asked, '0'], { input })), undefined);
});

test('jitter.c says the longest gap, and what of it was not a wait for a processor', async () => {
  const [word, longest, own] = (await run([await build('jitter'), '20'])).trim().split(' ');
  assert.equal(word, 'jitter');
  assert.ok(Number(longest) > 0 && Number(own) > 0 && Number(own) <= Number(longest));
});
