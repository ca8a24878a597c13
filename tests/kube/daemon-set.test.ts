import assert from 'node:assert/strict';
import { test } from 'node:test';
import { millis } from '../../src/base/time.ts';
import { DaemonSetWatch, type DaemonSetState } from '../../src/kube/daemon-set.ts';
import { event, SimWorld } from './support/world.ts';

const COLLECTION = '/apis/apps/v1/namespaces/kube-system/daemonsets';
const ONLY = 'fieldSelector=metadata.name%3Dleasehold';

function daemonSet(uid: string, more: object = {}): object {
  const metadata = { name: 'leasehold', namespace: 'kube-system', uid, resourceVersion: '11', ...more };
  return { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata, spec: {} };
}

function listOf(...items: readonly object[]): object {
  return { apiVersion: 'apps/v1', kind: 'DaemonSetList', metadata: { resourceVersion: '10' }, items };
}

function watched() {
  const world = new SimWorld();
  const states: DaemonSetState[] = [];
  const problems: (string | undefined)[] = [];
  const watch = new DaemonSetWatch({
    world,
    namespace: 'kube-system',
    name: 'leasehold',
    changed: (state) => states.push(state),
    problem: (why) => problems.push(why),
  });
  watch.start();
  const answers: DaemonSetState[] = [];
  const ask = (): (() => void) => watch.ask((state) => answers.push(state));
  return { world, watch, states, problems, answers, ask };
}

/** As far as a watch of one that is there. */
function following(uid = 'a') {
  const all = watched();
  assert.equal(all.world.last(1).path, `${COLLECTION}?${ONLY}&limit=256`);
  all.world.last(1).json(listOf(daemonSet(uid)));
  all.world.pass(0);
  assert.deepEqual(all.states, ['there']);
  const watch = all.world.last(2);
  assert.ok(watch.path.startsWith(`${COLLECTION}?${ONLY}&watch=1&`), watch.path);
  watch.head(200);
  return { ...all, open: watch };
}

test('one that is deleted or leaves is deleted, until another one has its name', () => {
  const ends: readonly (readonly [string, object])[] = [
    ['DELETED', daemonSet('a')],
    ['MODIFIED', daemonSet('a', { deletionTimestamp: '2026-01-01T00:00:00Z' })],
  ];
  for (const [type, object] of ends) {
    const { world, states, open } = following();
    world.pass(2000);
    open.text(event(type, object));
    world.pass(0);
    assert.deepEqual(states, ['there', 'deleted'], type);
    world.pass(2000);
    open.text(event('ADDED', daemonSet('b')));
    world.pass(2000);
    assert.deepEqual(states, ['there', 'deleted', 'there'], type);
  }
});

test('one that is another within a moment was never gone', () => {
  const { world, states, open } = following();
  world.pass(2000);
  open.text(event('ADDED', daemonSet('b')));
  world.pass(2000);
  assert.deepEqual(states, ['there']);
});

test('a change of it is none', () => {
  const { world, states, open } = following();
  world.pass(2000);
  open.text(event('MODIFIED', daemonSet('a', { generation: 7 })));
  world.pass(2000);
  assert.deepEqual(states, ['there']);
});

test('one that never was there is no deletion, whoever says so', () => {
  const { world, states, answers, ask } = watched();
  world.last(1).json(listOf());
  world.pass(0);
  ask();
  world.last(3).json({}, 404);
  assert.deepEqual([states, answers], [['absent'], ['absent']]);
});

test('an answer at the end is believed where it says something: 404, the object, another one', () => {
  for (const [status, body, expected] of [
    [404, {}, 'deleted'],
    [200, daemonSet('a'), 'there'],
    [200, daemonSet('b'), 'there'],
    [200, daemonSet('a', { deletionTimestamp: '2026-01-01T00:00:00Z' }), 'deleted'],
  ] as const) {
    const { world, answers, ask } = following();
    ask();
    const asked = world.last(3);
    assert.equal(asked.path, `${COLLECTION}/leasehold`);
    asked.json(body, status);
    assert.deepEqual(answers, [expected]);
  }
});

/** The verdict of one that ends: what the API answers then, what the watch tells before and after, each by its UID. */
function verdictOf(
  status: number,
  body: object,
  more: { readonly before?: readonly [string, object]; readonly after?: readonly [string, object] } = {},
): readonly boolean[] {
  const { world, watch, open } = following();
  world.pass(2000);
  if (more.before !== undefined) open.text(event(...more.before));
  world.pass(0);
  const verdicts: boolean[] = [];
  watch.verdict(millis(1500), (isDeleted) => verdicts.push(isDeleted));
  world.last(3).json(body, status);
  world.pass(100);
  if (more.after !== undefined) open.text(event(...more.after));
  world.pass(1500);
  return verdicts;
}

test('one that ends takes its DaemonSet for deleted when nothing contradicts that in time', () => {
  const gone = ['DELETED', daemonSet('a')] as const;
  const again = ['ADDED', daemonSet('b')] as const;
  assert.deepEqual(verdictOf(404, {}), [true]);
  assert.deepEqual(verdictOf(403, {}), [false]);
  assert.deepEqual(verdictOf(403, {}, { before: gone }), [true], 'helm uninstall');
  assert.deepEqual(verdictOf(403, {}, { after: gone }), [true], 'the last event comes late');
  assert.deepEqual(verdictOf(200, daemonSet('a')), [false]);
  assert.deepEqual(verdictOf(200, daemonSet('b'), { before: gone }), [false]);
  // `kubectl replace --force`: the old one's pods are told to end before there is a new one.
  assert.deepEqual(verdictOf(401, {}, { before: gone, after: again }), [false]);
  assert.deepEqual(verdictOf(404, {}, { after: again }), [false]);
});

test('who may not ask, or hears nothing of use, knows nothing', () => {
  for (const [status, body] of [
    [401, {}],
    [403, {}],
    [500, {}],
    [200, { kind: 'Status' }],
  ] as const) {
    const { world, watch, answers, ask } = following();
    ask();
    world.last(3).json(body, status);
    assert.deepEqual([answers, watch.state], [['unknown'], 'there'], `${status}`);
  }
});

test('a problem of the API is told once, and its end', () => {
  const { world, problems } = watched();
  world.last(1).json({}, 403);
  world.pass(5000);
  world.last(2).json({}, 403);
  world.pass(10_000);
  world.last(3).json(listOf(daemonSet('a')));
  world.pass(0);
  assert.deepEqual(problems, ['status 403', undefined]);
});
