import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { seconds } from '../../src/base/time.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import { readServiceCidr } from '../../src/kube/shapes.ts';
import { bookmark, event, listOf, NETWORKING, serviceCidr, SimWorld } from './support/world.ts';

type Cidrs = { readonly name: string; readonly cidrs: readonly string[] };

let world: SimWorld;
let taken: string[];
let failed: string[];
let reflector: Reflector<Cidrs>;

beforeEach(() => {
  world = new SimWorld();
  taken = [];
  failed = [];
  reflector = new Reflector<Cidrs>({
    world,
    path: '/cidrs',
    apiVersion: NETWORKING,
    kind: 'ServiceCIDR',
    read: (json) => {
      const read = readServiceCidr(json);
      return read === undefined ? undefined : { name: read.metadata.name, cidrs: read.spec.cidrs };
    },
    taken: (all) => taken.push(all.map(({ name, cidrs }) => `${name}=${cidrs.join(',')}`).join(' ')),
    failed: ({ why }) => failed.push(why),
  });
});

const ONE = serviceCidr('kubernetes', ['10.96.0.0/16']);

/** Listed, and the head of the first watch is there. */
function watching(): ReturnType<SimWorld['last']> {
  reflector.start();
  world.last(1).json(listOf([ONE], '10'));
  const watch = world.last(2);
  watch.head(200);
  world.pass(0);
  assert.deepEqual(taken, ['kubernetes=10.96.0.0/16']);
  taken = [];
  return watch;
}

test('a list, then a watch from its version on, with bookmarks and an end', () => {
  reflector.start();
  assert.equal(world.last(1).path, '/cidrs?limit=256');
  world.last(1).json(listOf([ONE], '10'));
  assert.equal(
    world.last(2).path,
    '/cidrs?watch=1&allowWatchBookmarks=true&timeoutSeconds=240&resourceVersion=10',
  );
  world.pass(0);
  assert.deepEqual([taken, failed], [['kubernetes=10.96.0.0/16'], []]);
});

test('objects come, change and go; what a chunk cuts through is put together, letters of several bytes too', () => {
  const watch = watching();
  const odd = { ...serviceCidr('more', ['10.97.0.0/16'], { version: '11' }), note: 'für €' };
  const bytes = new TextEncoder().encode(event('ADDED', odd));
  for (const byte of bytes) watch.bytes(Uint8Array.of(byte));
  world.pass(1000);
  watch.text(event('MODIFIED', serviceCidr('more', ['10.98.0.0/16'], { version: '12' })));
  world.pass(1000);
  watch.text(event('DELETED', serviceCidr('more', ['10.98.0.0/16'], { version: '13' })));
  world.pass(1000);
  assert.deepEqual(taken, [
    'kubernetes=10.96.0.0/16 more=10.97.0.0/16',
    'kubernetes=10.96.0.0/16 more=10.98.0.0/16',
    'kubernetes=10.96.0.0/16',
  ]);
  assert.deepEqual(failed, []);
});

test('a watch that its server ends goes on from the last bookmark, at once', () => {
  const watch = watching();
  watch.text(bookmark('4711'));
  world.pass(240_000);
  watch.end();
  assert.match(world.last(3).path, /&resourceVersion=4711$/);
  assert.equal(world.last(3).at, 240_000);
  assert.deepEqual([taken, failed], [[], []]);
});

test('a connection that is lost in the middle of a line: the line is void, and the watch goes on before it', () => {
  const watch = watching();
  world.pass(10_000);
  watch.text(event('ADDED', serviceCidr('second', ['10.97.0.0/16'], { version: '20' })));
  const cut = event('ADDED', serviceCidr('third', ['10.98.0.0/16'], { version: '21' }));
  watch.text(cut.slice(0, -20));
  watch.end('aborted');
  world.pass(799);
  assert.equal(world.asked.length, 2, 'not at once');
  world.pass(1);
  const again = world.last(3);
  assert.match(again.path, /watch=1.*&resourceVersion=20$/);
  again.head(200);
  again.text(cut);
  world.pass(1000);
  assert.deepEqual(taken.at(-1), 'kubernetes=10.96.0.0/16 second=10.97.0.0/16 third=10.98.0.0/16');
  assert.deepEqual(failed, ['aborted']);
});

test('410 Gone in a watch: a new list at once, without a word; what went meanwhile is gone', () => {
  const watch = watching();
  watch.text(event('ADDED', serviceCidr('more', ['10.97.0.0/16'], { version: '11' })));
  world.pass(60_000);
  watch.text(event('ERROR', { kind: 'Status', code: 410 }));
  assert.ok(watch.cancelled());
  world.pass(0);
  assert.equal(world.last(3).path, '/cidrs?limit=256');
  world.last(3).json(listOf([ONE], '900'));
  world.pass(1000);
  assert.equal(taken.at(-1), 'kubernetes=10.96.0.0/16');
  assert.match(world.last(4).path, /&resourceVersion=900$/);
  assert.deepEqual(failed, []);
});

test('410 as the status of a watch is the same; a server that says it every time is asked more and more rarely', () => {
  reflector.start();
  const waits: number[] = [];
  for (let turn = 0; turn < 9; turn += 1) {
    world.asked.at(-1)?.json(listOf([ONE]));
    world.asked.at(-1)?.head(410);
    const [before, count] = [world.now, world.asked.length];
    while (world.asked.length === count) world.pass(100);
    waits.push(world.now - before);
  }
  assert.deepEqual(waits, [100, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000, 30_000]);
});

test('tries follow client-go: from 0.8 s, doubled up to 30 s, and by chance up to twice that; what is known stays', () => {
  world.chance = 0.999_999;
  const watch = watching();
  world.pass(5000);
  watch.end('ECONNRESET');
  const waits: number[] = [];
  for (let turn = 0; turn < 8; turn += 1) {
    const [before, count] = [world.now, world.asked.length];
    while (world.asked.length === count) world.pass(100);
    waits.push(world.now - before);
    world.asked.at(-1)?.end('ECONNREFUSED');
  }
  assert.deepEqual(waits, [1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000]);
  assert.deepEqual(taken, []);
});

test('the server says how long to stay away; not longer than five minutes', () => {
  reflector.start();
  world.last(1).head(429, seconds(20));
  world.pass(19_999);
  assert.equal(world.asked.length, 1);
  world.pass(1);
  world.last(2).head(503, seconds(86_400));
  world.pass(300_000);
  world.last(3);
});

test('a watch that ends at once has failed: no circle without a pause', () => {
  reflector.start();
  world.last(1).json(listOf([ONE]));
  for (let turn = 0; turn < 1000; turn += 1) {
    const asked = world.asked.at(-1);
    if (asked !== undefined && !asked.cancelled()) {
      asked.head(200);
      asked.text(event('MODIFIED', ONE));
      asked.end();
    }
    world.pass(100);
  }
  // 100 s: 0.8 + 1.6 + 3.2 + 6.4 + 12.8 + 25.6 + 30 s.
  assert.ok(world.asked.length <= 9, `${world.asked.length}`);
});

test('no head, and no end: a connection that died without a word is given up', () => {
  reflector.start();
  world.pass(15_000);
  assert.ok(world.last(1).cancelled());
  world.pass(800);
  world.last(2).json(listOf([ONE]));
  world.pass(15_000);
  assert.ok(world.last(3).cancelled());
  world.pass(1600);
  const watch = world.last(4);
  watch.head(200);
  world.pass(255_000 - 1);
  assert.ok(!watch.cancelled());
  world.pass(1);
  assert.ok(watch.cancelled());
  assert.deepEqual(failed, ['no answer within 15 s', 'no answer to a watch', 'a watch does not end']);
});

test('what changes a hundred times in a second is handed on once', () => {
  const watch = watching();
  for (let n = 0; n < 100; n += 1) {
    watch.text(event('MODIFIED', serviceCidr('kubernetes', [`10.${n}.0.0/16`], { version: `${n}` })));
    world.pass(9);
  }
  assert.deepEqual(taken, []);
  world.pass(100);
  assert.deepEqual(taken, ['kubernetes=10.99.0.0/16']);
});

const HOSTILE: readonly (readonly [string, (watch: ReturnType<SimWorld['last']>) => void, RegExp])[] = [
  [
    'an endless line',
    (watch) => {
      const chunk = new Uint8Array(64 << 10).fill(0x61);
      for (let n = 0; n < 100 && !watch.cancelled(); n += 1) watch.bytes(chunk);
    },
    /more than it may/,
  ],
  [
    'lines without end',
    (watch) => {
      const chunk = bookmark('11').repeat(1000);
      for (let n = 0; n < 1000 && !watch.cancelled(); n += 1) watch.text(chunk);
    },
    /more than it may/,
  ],
  ['no JSON', (watch) => watch.text('<html>\n'), /is no event/],
  ['nesting', (watch) => watch.text(`${'['.repeat(100_000)}\n`), /is no event/],
  ['another kind', (watch) => watch.text(event('ADDED', { ...ONE, kind: 'Secret' })), /no ServiceCIDR of/],
  ['another group', (watch) => watch.text(event('ADDED', { ...ONE, apiVersion: 'v1' })), /no ServiceCIDR of/],
  ['a word nobody knows', (watch) => watch.text(event('EXPLODED', ONE)), /is no event/],
  [
    'an object without its parts',
    (watch) => watch.text(event('ADDED', { ...ONE, spec: { cidrs: 'all' } })),
    /holds no ServiceCIDR/,
  ],
  [
    'a name that is none',
    (watch) => watch.text(event('ADDED', serviceCidr('a\u001b[2J', ['10.1.0.0/16']))),
    /holds no ServiceCIDR/,
  ],
  [
    'objects without end',
    (watch) => {
      for (let n = 0; n < 1000 && !watch.cancelled(); n += 1)
        watch.text(event('ADDED', serviceCidr(`n${n}`, ['10.1.0.0/16'])));
    },
    /more than 256 objects/,
  ],
  ['a version that never ends', (watch) => watch.text(bookmark('1'.repeat(100_000))), /no ServiceCIDR of/],
];

for (const [what, act, why] of HOSTILE) {
  test(`a watch with ${what} is ended; after a pause comes a list, and its word counts`, () => {
    const watch = watching();
    act(watch);
    assert.ok(watch.cancelled());
    assert.match(failed.join(), why);
    world.pass(2000);
    world.last(3).json(listOf([ONE], '50'));
    world.pass(1000);
    assert.equal(taken.at(-1), 'kubernetes=10.96.0.0/16');
  });
}

for (const [what, answer, why] of [
  ['of another kind', listOf([ONE], '10', {}), undefined],
  ['of secrets', { ...listOf([ONE]), kind: 'SecretList' }, /no ServiceCIDRList/],
  [
    'with one item that is none',
    listOf([ONE, { kind: 'ServiceCIDR' }]),
    /an item of the list is no ServiceCIDR/,
  ],
  ['of which there is more', listOf([ONE], '10', { continue: 'x' }), /more than 256 objects/],
  ['of a thousand', listOf(Array.from({ length: 1000 }, () => ONE)), /more than 256 objects/],
  ['without a version', { ...listOf([ONE]), metadata: {} }, /no ServiceCIDRList/],
  ['that is text', 'hello', /no ServiceCIDRList/],
] as const) {
  test(`a list ${what} ${why === undefined ? 'is taken' : 'is not'}`, () => {
    reflector.start();
    world.last(1).json(answer);
    world.pass(0);
    if (why === undefined) assert.deepEqual([taken.length, failed], [1, []]);
    else {
      assert.match(failed.join(), why);
      assert.deepEqual(taken, []);
    }
  });
}

test('a list larger than 4 MiB is cut off', () => {
  reflector.start();
  const asked = world.last(1);
  asked.head(200);
  const chunk = new Uint8Array(1 << 20).fill(0x20);
  let chunks = 0;
  for (; chunks < 100 && !asked.cancelled(); chunks += 1) asked.bytes(chunk);
  assert.equal(chunks, 5);
  assert.match(failed.join(), /larger than 4194304 bytes/);
});

test('who closes hears nothing more, and no timer is left', () => {
  const watch = watching();
  watch.text(event('MODIFIED', serviceCidr('kubernetes', ['10.1.0.0/16'])));
  reflector.close();
  assert.ok(watch.cancelled());
  assert.equal(world.pending, 0);
  world.pass(1_000_000);
  assert.deepEqual([taken, failed, world.asked.length], [[], [], 2]);
});
