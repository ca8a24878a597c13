import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { basename } from 'node:path';
import { describe, test } from 'node:test';
import { cidr } from '../../src/base/cidr.ts';
import { ipv4 } from '../../src/base/ipv4.ts';
import { millis, seconds } from '../../src/base/time.ts';
import { PodNetwork } from '../../src/kernel/pod-network.ts';
import { asRoot, makePair, type Pair, Sandbox, until } from './support/sandbox.ts';

const ROUTER = ipv4('10.9.0.1');
const OWN = cidr('10.9.0.2/24');
const SECOND = cidr('10.9.0.3/24');
const DEFAULT = { dst: cidr('0.0.0.0/0'), gateway: ROUTER };
/** What the kernel is told for a lease of a minute: whole seconds, and one more. */
const MINUTE_AND_GRACE = 61;
const SERVER = `require('node:net').createServer((socket) => socket.pipe(socket))
  .listen(7000, '${ROUTER}', () => process.stdout.write('ready'));`;
const CLIENT = `const socket = require('node:net').connect(7000, '${ROUTER}', () => {
  process.stdout.write('ready');
  process.stdin.pipe(socket).pipe(process.stdout);
});`;

type Site = Pair & { readonly pod: PodNetwork; readonly index: number };

async function makeSite(sandbox: Sandbox): Promise<Site> {
  const pair = await makePair(sandbox);
  await pair.rightRtnl.addresses.add({ index: pair.rightLink.index, cidr: cidr('10.9.0.1/24') });
  return { ...pair, pod: PodNetwork.open(sandbox.path('left'), pair.rightRtnl), index: pair.leftLink.index };
}

/** Address, whether it is a secondary one, and for how long it is valid at most. */
function addresses(sandbox: Sandbox): readonly (readonly [unknown, boolean, number])[] {
  return sandbox
    .ip('left', '-4', 'addr', 'show', 'v0')
    .flatMap(({ addr_info: list }) => list as readonly Record<string, unknown>[])
    .map(({ local, secondary, valid_life_time }) => [local, secondary === true, Number(valid_life_time)]);
}

function routes(sandbox: Sandbox): readonly unknown[] {
  return sandbox.ip('left', '-4', 'route', 'show').map(({ dst, gateway }) => [dst, gateway]);
}

/** Whether the address is there and has that many seconds left, give or take those that have passed. */
function assertValid(sandbox: Sandbox, address: string, expected: number): void {
  const left = addresses(sandbox).find(([local]) => local === address)?.[2] ?? 0;
  assert.ok(left <= expected && left > expected - 30, `${address} is valid for ${left} s, not ${expected}`);
}

function runIn(path: string, command: readonly string[]): ChildProcess {
  return spawn('ip', ['netns', 'exec', basename(path), ...command], { stdio: ['pipe', 'pipe', 'inherit'] });
}

async function nextOutput(child: ChildProcess): Promise<string> {
  assert.ok(child.stdout !== null);
  const [bytes] = (await once(child.stdout, 'data')) as [Buffer];
  return bytes.toString();
}

async function echo(child: ChildProcess, text: string): Promise<string> {
  const answer = nextOutput(child);
  child.stdin?.write(text);
  return answer;
}

async function end(children: readonly ChildProcess[]): Promise<void> {
  const ends = children.map((child) => once(child, 'close'));
  for (const child of children) child.kill('SIGKILL');
  await Promise.all(ends);
}

describe('an address that has an end', () => {
  test('goes by itself, and the routes of its interface with it', asRoot, async () => {
    await using sandbox = new Sandbox('life');
    const { pod, index } = await makeSite(sandbox);
    await pod.configure(index, { addresses: [OWN], routes: [DEFAULT], validFor: millis(1) });
    assert.equal(routes(sandbox).length, 2);
    await until('the kernel to take it off', () => addresses(sandbox).length === 0);
    assert.deepEqual(routes(sandbox), []);
    pod.close();
  });

  test('goes by itself, and one that has no end stays', asRoot, async () => {
    await using sandbox = new Sandbox('life');
    const { pod, index } = await makeSite(sandbox);
    await pod.configure(index, { addresses: [OWN], routes: [], validFor: millis(1) });
    await pod.configure(index, { addresses: [cidr('10.8.0.2/24')], routes: [] });
    assert.equal(addresses(sandbox).length, 2);
    await until('the kernel to take it off', () => addresses(sandbox).length === 1);
    assert.equal(addresses(sandbox)[0]?.[0], '10.8.0.2');
    assert.deepEqual(routes(sandbox), [['10.8.0.0/24', undefined]]);
    pod.close();
  });

  test('one that has ended already is no error', asRoot, async () => {
    await using sandbox = new Sandbox('life');
    const { pod, index } = await makeSite(sandbox);
    await pod.configure(index, { addresses: [OWN], routes: [], validFor: millis(0) });
    await until('the kernel to take it off', () => addresses(sandbox).length === 0);
    pod.close();
  });

  test('prolonged, it keeps its place, its routes and its connections', asRoot, async () => {
    await using sandbox = new Sandbox('life');
    const { pod, index } = await makeSite(sandbox);
    await pod.configure(index, { addresses: [OWN], routes: [DEFAULT], validFor: seconds(1) });
    await pod.configure(index, { addresses: [SECOND], routes: [], validFor: seconds(1) });
    const before = routes(sandbox);
    const server = runIn(sandbox.path('right'), [process.execPath, '-e', SERVER]);
    const children = [server];
    try {
      assert.equal(await nextOutput(server), 'ready');
      const client = runIn(sandbox.path('left'), [process.execPath, '-e', CLIENT]);
      children.push(client);
      // Before a second is over: the programs take longer than that to start.
      for (const address of [OWN, SECOND]) {
        await pod.configure(index, { addresses: [address], routes: [], validFor: seconds(60) });
      }
      assert.equal(await nextOutput(client), 'ready');
      assert.equal(await echo(client, 'before'), 'before');
      await pod.configure(index, { addresses: [OWN], routes: [], validFor: seconds(600) });
      assert.equal(await echo(client, 'after'), 'after');
    } finally {
      await end(children);
    }
    assert.deepEqual(
      addresses(sandbox).map(([local, secondary]) => [local, secondary]),
      [
        ['10.9.0.2', false],
        ['10.9.0.3', true],
      ],
    );
    assertValid(sandbox, '10.9.0.2', 601);
    assertValid(sandbox, '10.9.0.3', MINUTE_AND_GRACE);
    assert.deepEqual(routes(sandbox), before);
    pod.close();
  });

  test('an end can be given, taken away, and be beyond what the kernel can count', asRoot, async () => {
    await using sandbox = new Sandbox('life');
    const { pod, index, leftRtnl } = await makeSite(sandbox);
    const end4 = async (): Promise<number | undefined> =>
      (await leftRtnl.addresses.list(index)).find(({ cidr: own }) => own.address === OWN.address)?.validSecs;
    const set = async (validFor: ReturnType<typeof seconds> | undefined): Promise<void> =>
      await pod.configure(index, { addresses: [OWN], routes: [], validFor });
    await set(undefined);
    assert.equal(await end4(), undefined);
    await set(seconds(60));
    assertValid(sandbox, '10.9.0.2', MINUTE_AND_GRACE);
    await set(undefined);
    assert.equal(await end4(), undefined);
    await set(seconds(0xffff_fffe));
    assert.ok(((await end4()) ?? 0) > 0, 'it ends, and is there');
    pod.close();
  });

  test('to prolong it is one change, and no removal', asRoot, async () => {
    await using sandbox = new Sandbox('life');
    const { pod, index } = await makeSite(sandbox);
    await pod.configure(index, { addresses: [OWN], routes: [DEFAULT], validFor: seconds(60) });
    const monitor = runIn(sandbox.path('left'), ['ip', '-4', 'monitor', 'address', 'route']);
    let seen = '';
    monitor.stdout?.on('data', (bytes: Buffer) => {
      seen += bytes.toString();
    });
    try {
      // It listens once it has told of one of these.
      for (let i = 1; !seen.includes('10.7.'); i++) {
        await pod.ensureAddress(index, cidr(`10.7.${i % 250}.1/24`));
        await new Promise((resolve) => {
          setTimeout(resolve, 10);
        });
      }
      await pod.ensureAddress(index, cidr('10.6.0.1/24'));
      await until('what came before to be told', () => seen.includes('10.6.0.1/24'));
      seen = '';
      await pod.configure(index, { addresses: [OWN], routes: [], validFor: seconds(600) });
      await pod.ensureAddress(index, cidr('10.5.0.1/24'));
      await until('what came after to be told', () => seen.includes('10.5.0.1/24'));
    } finally {
      await end([monitor]);
    }
    const told = seen.slice(0, seen.indexOf('10.5.0'));
    assert.equal(told.match(/inet 10\.9\.0\.2/g)?.length, 1);
    assert.doesNotMatch(told, /Deleted/);
    pod.close();
  });
});
