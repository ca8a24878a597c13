import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { cidr, formatCidr, networkOf, type Cidr } from '../../../src/base/cidr.ts';
import type { Ipv4 } from '../../../src/base/ipv4.ts';
import { SysError } from '../../../src/base/sys-error.ts';
import { instant, type Instant } from '../../../src/base/time.ts';
import type { FoundServiceNetwork, Inference } from '../../../src/node/services/found.ts';
import { ServiceFinder } from '../../../src/node/services/finder.ts';
import type { ServiceSearch } from '../../../src/node/services/search.ts';

const NOTHING: ServiceSearch = { networks: [], kubelet: undefined, failed: [] };
const UNKNOWN: ServiceSearch = { networks: [], kubelet: 'kubelet (process 7)', failed: ['the API is away'] };
const MINUTE = 60_000;

function found(network: string, inferred?: Inference): ServiceSearch {
  const one = {
    network: networkOf(cidr(network) as Cidr<Ipv4>),
    source: 'a test',
    ...(inferred === undefined ? {} : { inferred }),
  };
  return { networks: [one], kubelet: 'kubelet (process 7)', failed: [] };
}

let at: number;
let timers: { readonly at: Instant; readonly callback: () => void }[];
let answer: ServiceSearch;
let searches: number;
let stated: boolean;
let networks: readonly string[];
let said: string[];
let refused: SysError | undefined;
let kept: readonly FoundServiceNetwork[];
let finder: ServiceFinder;

beforeEach(() => {
  at = 0;
  timers = [];
  answer = NOTHING;
  searches = 0;
  stated = false;
  networks = [];
  said = [];
  kept = [];
  refused = undefined;
  const log = (level: string) => (_: unknown, message: string) => void said.push(`${level} ${message}`);
  finder = new ServiceFinder({
    search: () => {
      searches += 1;
      return Promise.resolve(answer);
    },
    kept: {
      read: () => kept,
      keep: (all) => {
        if (refused !== undefined) throw refused;
        kept = all;
      },
    },
    networks: {
      set: (source, all) => (networks = all.map(({ network }) => `${source} ${formatCidr(network)}`)),
    },
    isStated: () => stated,
    clock: { now: () => instant(at) },
    timers: {
      at: (due, callback) => {
        const timer = { at: due, callback };
        timers.push(timer);
        return () => void (timers = timers.filter((one) => one !== timer));
      },
    },
    log: { info: log('info'), warn: log('warn'), error: log('error') },
    count: () => undefined,
  });
});

/** How long until the one timer that there is; then that passes. */
async function next(): Promise<number> {
  assert.equal(timers.length, 1);
  const [timer] = timers.splice(0);
  const wait = (timer?.at ?? 0) - at;
  at += wait;
  timer?.callback();
  await finder.look();
  return wait;
}

test('what is stated costs nothing: no search, no timer', async () => {
  stated = true;
  await finder.start();
  assert.deepEqual([searches, timers.length, networks, said], [0, 0, [], []]);
});

test('a machine that is no node is looked at more and more rarely, and nothing is said of it', async () => {
  await finder.start();
  const waits = [];
  for (let turn = 0; turn < 6; turn += 1) waits.push((await next()) / MINUTE);
  assert.deepEqual(waits, [2, 4, 8, 10, 10, 10]);
  assert.deepEqual(said, []);
});

test('a node without is an error, said once, until it is found; then it stays', async () => {
  answer = UNKNOWN;
  await finder.start();
  assert.equal(await next(), MINUTE);
  assert.equal(said.length, 1);
  assert.match(said[0] ?? '', /^error .*its service network is not known: .*state it with --service-cidr$/);
  answer = found('10.43.0.0/16');
  assert.equal(await next(), MINUTE);
  assert.deepEqual(networks, ['node 10.43.0.0/16']);
  assert.match(said[1] ?? '', /^info the service network was found/);
  answer = UNKNOWN;
  assert.equal(await next(), 10 * MINUTE);
  assert.deepEqual(networks, ['node 10.43.0.0/16'], 'an API that is away takes nothing away');
  assert.equal(said.length, 2);
  answer = found('10.44.0.0/16');
  await next();
  assert.deepEqual(networks, ['node 10.44.0.0/16']);
});

test('a guess is a warning', async () => {
  answer = found('172.30.0.0/16', 'size');
  await finder.start();
  assert.match(said[0] ?? '', /^warn .*is a guess: state it with --service-cidr$/);
});

test('a guess takes the place of nothing that is better known', async () => {
  answer = found('172.20.0.0/16', 'unconfirmed');
  await finder.start();
  answer = found('10.100.0.0/16', 'size');
  await next();
  assert.deepEqual(networks, ['node 10.100.0.0/16'], 'addresses of services say more than a default');
  answer = found('10.43.0.0/16', 'unconfirmed');
  assert.equal(await next(), MINUTE, 'a guess is looked at again soon');
  assert.deepEqual(networks, ['node 10.100.0.0/16']);
  answer = found('10.100.0.0/12', 'size');
  await next();
  assert.deepEqual(networks, ['node 10.96.0.0/12']);
  answer = found('10.100.0.0/20');
  await next();
  for (const worse of ['usual', 'size', 'unconfirmed'] as const) {
    answer = found('10.43.0.0/16', worse);
    assert.equal(await next(), 10 * MINUTE);
    assert.deepEqual(networks, ['node 10.100.0.0/20'], 'the API that said it is away');
  }
  assert.equal(said.filter((line) => line.startsWith('warn')).length, 3, said.join('\n'));
  answer = found('10.100.0.0/19');
  await next();
  assert.deepEqual(networks, ['node 10.100.0.0/19']);
});

test('what an earlier run has found counts from the start, until as much is known', async () => {
  kept = found('10.100.0.0/20').networks;
  answer = found('10.43.0.0/16', 'unconfirmed');
  await finder.start();
  assert.deepEqual(networks, ['node 10.100.0.0/20'], 'the API is away');
  answer = found('10.100.0.0/19');
  await next();
  assert.deepEqual(networks, ['node 10.100.0.0/19']);
  assert.deepEqual(kept, answer.networks);
});

test('what an earlier boot has found counts until anything else is found', async () => {
  kept = found('10.100.0.0/20', 'size').networks.map((one) => ({ ...one, isRemembered: true as const }));
  answer = found('10.43.0.0/16', 'unconfirmed');
  await finder.start();
  assert.deepEqual(networks, ['node 10.100.0.0/20'], 'a default says less');
  answer = UNKNOWN;
  await next();
  assert.deepEqual(networks, ['node 10.100.0.0/20'], 'its API is away');
  answer = found('172.20.0.0/16', 'size');
  await next();
  assert.deepEqual(networks, ['node 172.20.0.0/16']);
});

test('a machine that has left its cluster forgets it after a reboot, once a kubelet had the time to start', async () => {
  kept = found('10.100.0.0/20', 'size').networks.map((one) => ({ ...one, isRemembered: true as const }));
  answer = NOTHING;
  await finder.start();
  assert.deepEqual(networks, ['node 10.100.0.0/20']);
  await next();
  assert.deepEqual([networks, kept], [[], []]);
});

test('a disk that takes nothing keeps no service from a pod', async () => {
  answer = found('10.43.0.0/16');
  refused = new SysError('write', 'ENOSPC');
  await finder.start();
  assert.deepEqual(networks, ['node 10.43.0.0/16']);
  assert.match(said[0] ?? '', /^warn .*could not be written down/);
});

test('what is stated later takes the place of what was found, and the other way round', async () => {
  answer = found('10.43.0.0/16');
  await finder.start();
  stated = true;
  finder.restated();
  await finder.look();
  assert.deepEqual([networks, timers.length], [[], 0]);
  stated = false;
  finder.restated();
  await finder.look();
  assert.deepEqual(networks, ['node 10.43.0.0/16']);
});

test('a start waits for a search that hangs no longer than three seconds', async () => {
  const hanging = Promise.withResolvers<ServiceSearch>();
  const slow = new ServiceFinder({
    search: () => hanging.promise,
    kept: { read: () => kept, keep: (all) => (kept = all) },
    networks: {
      set: (source, all) => (networks = all.map(({ network }) => `${source} ${formatCidr(network)}`)),
    },
    isStated: () => false,
    clock: { now: () => instant(0) },
    timers: {
      at: (due, callback) => {
        if (due === 3000) queueMicrotask(callback);
        return () => undefined;
      },
    },
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    count: () => undefined,
  });
  await slow.start();
  hanging.resolve(found('10.43.0.0/16'));
  await slow.look();
  assert.deepEqual(networks, ['node 10.43.0.0/16'], 'it counts when it comes');
  slow.close();
});
