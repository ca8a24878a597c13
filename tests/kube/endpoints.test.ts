import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { err, ok, type Result } from '../../src/base/result.ts';
import { Endpoints } from '../../src/kube/endpoints.ts';
import { SimWorld } from './support/world.ts';

let world: SimWorld;
let servers: Result<readonly string[], string>;
let heard: string[];
let endpoints: Endpoints<string>;

const TAKER = {
  head: (status: number) => heard.push(`head ${status}`),
  data: () => heard.push('data'),
  ended: (why: string | undefined) => heard.push(`ended ${why ?? ''}`),
};

beforeEach(() => {
  world = new SimWorld();
  servers = ok(['kubelet', 'service']);
  heard = [];
  endpoints = new Endpoints<string>({
    servers: () => servers,
    nameOf: (server) => server,
    open: (server, path, taker) => world.open(`${server}${path}`, taker),
    answered: (server) => heard.push(`by ${server}`),
    clock: world.clock,
    timers: world.timers,
  });
});

test('the first choice has the word while it answers, whatever it says', () => {
  endpoints.open('/x', TAKER);
  world.last(1).json({}, 403);
  assert.deepEqual(heard, ['by kubelet', 'head 403', 'data', 'ended ']);
  assert.equal(world.last(1).path, 'kubelet/x');
  assert.equal(world.pending, 0);
});

for (const [how, act] of [
  ['refuses', () => world.last(1).end('ECONNREFUSED')],
  ['is silent for three seconds', () => world.pass(3000)],
  ['is a balancer with nobody behind it', () => world.last(1).head(503)],
] as const) {
  test(`where it ${how}, the next one is asked, and comes first for a minute`, () => {
    endpoints.open('/x', TAKER);
    act();
    assert.ok(world.asked[0]?.cancelled());
    assert.equal(world.last(2).path, 'service/x');
    world.last(2).json({});
    assert.deepEqual(heard, ['by service', 'head 200', 'data', 'ended ']);
    endpoints.open('/y', TAKER);
    assert.equal(world.last(3).path, 'service/y', 'nobody waits for the first again');
    world.last(3).json({});
    world.pass(60_000);
    endpoints.open('/z', TAKER);
    assert.equal(world.last(4).path, 'kubelet/z');
  });
}

test('the one that was set aside is asked where the other fails; both away: the first choice is the first again', () => {
  endpoints.open('/x', TAKER);
  world.last(1).end('ECONNREFUSED');
  world.last(2).json({});
  heard = [];
  endpoints.open('/y', TAKER);
  world.last(3).end('ECONNREFUSED');
  assert.equal(world.last(4).path, 'kubelet/y');
  world.last(4).end('ECONNREFUSED');
  world.pass(0);
  assert.deepEqual(heard, ['ended service: ECONNREFUSED; kubelet: ECONNREFUSED']);
  endpoints.open('/z', TAKER);
  assert.equal(world.last(5).path, 'kubelet/z');
});

test('the last one may be slow: whoever asks has the patience', () => {
  endpoints.open('/x', TAKER);
  world.pass(3000);
  world.pass(11_000);
  assert.deepEqual(heard, []);
  world.last(2).json({});
  assert.deepEqual(heard, ['by service', 'head 200', 'data', 'ended ']);
});

test('nobody answers: all of them are named; a lost answer is the failure of its server', () => {
  endpoints.open('/x', TAKER);
  world.last(1).end('ECONNREFUSED');
  world.last(2).end('self-signed certificate');
  world.pass(0);
  assert.deepEqual(heard, ['ended kubelet: ECONNREFUSED; service: self-signed certificate']);
  heard = [];
  endpoints.open('/y', TAKER);
  world.last(3).head(200);
  world.last(3).end('aborted');
  assert.deepEqual(heard, ['by kubelet', 'head 200', 'ended kubelet: aborted']);
});

test('who can be asked is read anew for each GET; not more than four', () => {
  servers = err('the token is gone');
  endpoints.open('/x', TAKER);
  world.pass(0);
  assert.deepEqual(heard, ['ended the token is gone']);
  servers = ok(Array.from({ length: 100 }, (_, n) => `s${n}`));
  endpoints.open('/x', TAKER);
  for (let n = 1; n <= 4; n += 1) world.last(n).end('ECONNREFUSED');
  world.pass(0);
  world.last(4);
});

test('who cancels cancels the one that is asked by then', () => {
  const cancel = endpoints.open('/x', TAKER);
  world.last(1).end('ECONNREFUSED');
  cancel();
  assert.ok(world.last(2).cancelled());
  world.pass(100_000);
  assert.deepEqual([heard, world.pending], [[], 0]);
});
