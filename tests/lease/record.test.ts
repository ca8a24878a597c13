import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { instant } from '../../src/base/time.ts';
import type { Json, JsonObject } from '../../src/base/json.ts';
import { keyText, type LeaseRecord, parseRecord, RECORD_SCHEMA } from '../../src/lease/record.ts';
import { readStored } from '../../src/lease/stored.ts';
import { step } from '../../src/protocol/dhcp4/client.ts';
import type { Dhcp4State } from '../../src/protocol/dhcp4/state.ts';
import { CONFIG, net, OUR_MAC, reply, SERVER } from '../protocol/dhcp4/messages.ts';

const RUNS = 500;

function recordOf(state: Dhcp4State, changes: Partial<LeaseRecord> = {}): LeaseRecord {
  return {
    schema: RECORD_SCHEMA,
    key: { containerId: 'c1', network: 'lan', ifname: 'eth0' },
    bootId: 'boot-1',
    netns: { path: '/run/netns/c1', inode: '4026531999' },
    link: { index: 7, mac: OUR_MAC, owned: true },
    uplinkIndex: 2,
    lan: { index: 2, name: 'uplink0' },
    apply: { metric: undefined, routes: 'all', table: undefined, mtu: true },
    conflictCheck: 'background',
    remember: false,
    owner: 'pod',
    config: CONFIG,
    state,
    ...changes,
  };
}

/** States that hold a lease, made by the machine itself from what a server might grant. */
const leased: fc.Arbitrary<Dhcp4State> = fc
  .record({
    secs: fc.constantFrom(1, 10, 3600, 0xfffffffe, 0xffffffff),
    routers: fc.boolean(),
    mtu: fc.constantFrom(undefined, 576, 1400),
    names: fc.boolean(),
    routes: fc.boolean(),
    mangled: fc.boolean(),
    share: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    late: fc.constantFrom(0, 0.6, 0.95),
  })
  .map(({ secs, routers, mtu, names, routes, mangled, share, late }) => {
    const options = {
      'dhcp-lease-time': secs,
      ...(mtu === undefined ? {} : { 'interface-mtu': mtu }),
      ...(names ? { 'domain-name': 'lan', 'domain-search': ['a.lan'], 'domain-name-servers': [SERVER] } : {}),
      ...(routes
        ? { 'rfc3442-classless-static-routes': [{ destination: net('10.0.0.0/8'), router: SERVER }] }
        : {}),
    };
    const how = {
      options,
      ...(routers ? {} : { without: ['routers' as const] }),
      ...(mangled ? { raw: { 'ntp-servers': [1], 'static-routes': [1, 2] } } : {}),
    };
    const random = (): number => share;
    let state: Dhcp4State = { kind: 'init', last: undefined };
    let now = instant(1000);
    const take = (event: Parameters<typeof step>[2]): void => {
      state = step(CONFIG, state, event, { now, random, protect: [] }).state;
    };
    take({ type: 'start' });
    for (const type of ['DHCPOFFER', 'DHCPACK'] as const) {
      take({ type: 'message', message: reply(type, 'xid' in state ? Number(state.xid) : 0, how) });
    }
    now = instant(1000 + secs * 1000 * late);
    take({ type: 'wake' });
    return state;
  });

const pods: fc.Arbitrary<LeaseRecord['pod']> = fc.constantFrom(
  undefined,
  { namespace: 'shop', name: 'web-0' },
  { name: 'db' },
);

describe('a record', () => {
  test('comes back as it was stored, whatever lease it holds', () => {
    fc.assert(
      fc.property(leased, fc.constantFrom(undefined, 2), pods, (state, uplinkIndex, pod) => {
        const record = recordOf(state, { uplinkIndex, pod });
        const text = JSON.stringify(record);
        const read = readStored(keyText(record.key), text, (key) => key);
        assert.ok(read.ok, read.ok ? '' : read.error);
        assert.deepEqual(JSON.parse(JSON.stringify(read.value)), JSON.parse(text));
      }),
      { numRuns: RUNS },
    );
  });

  test('of a lease that was lost comes back, too', () => {
    const record = recordOf({ kind: 'init', last: SERVER });
    assert.deepEqual(parseRecord(JSON.parse(JSON.stringify(record)) as Json), { ok: true, value: record });
  });

  test('of an older version has the routes that all had then', () => {
    const record = recordOf({ kind: 'init', last: SERVER });
    const stored = JSON.parse(JSON.stringify(record)) as JsonObject;
    const { apply: _, ...first } = stored;
    for (const older of [first, { ...stored, apply: { mtu: true } }]) {
      assert.deepEqual(parseRecord(older), { ok: true, value: record });
    }
    const value = recordOf(record.state, { apply: { ...record.apply, routes: 'none', table: 7 } });
    assert.deepEqual(parseRecord(JSON.parse(JSON.stringify(value)) as Json), { ok: true, value });
  });

  test('that is anything else is refused, and never throws', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (json) => {
        assert.equal(parseRecord(json as Json).ok, false);
      }),
      { numRuns: RUNS },
    );
  });

  test('with one thing wrong is refused, and the error says where', () => {
    const good = JSON.parse(JSON.stringify(recordOf({ kind: 'init', last: undefined }))) as JsonObject;
    const wrong: readonly (readonly [string, Json])[] = [
      ['schema', 2],
      ['key', { containerId: 'c1', network: 'lan' }],
      ['bootId', null],
      ['netns', { path: 1, inode: '1' }],
      ['link', { index: -1, mac: OUR_MAC, owned: true }],
      ['link', { index: 1, mac: '02-00-5E-10-00-01', owned: true }],
      ['uplinkIndex', 1.5],
      ['config', { ...(good['config'] as JsonObject), clientId: 'xyz' }],
      ['config', { ...(good['config'] as JsonObject), parameterRequest: [255] }],
      ['config', { ...(good['config'] as JsonObject), send: { 'host-name': '00' } }],
      ['config', { ...(good['config'] as JsonObject), broadcast: 'sometimes' }],
      ['state', { kind: 'selecting' }],
      ['state', { kind: 'bound', lease: { address: { address: '1.2.3', prefix: 24 } } }],
    ];
    for (const [key, value] of wrong) {
      const read = parseRecord({ ...good, [key]: value });
      assert.ok(!read.ok && read.error.startsWith(key), read.ok ? `${key} was taken` : read.error);
    }
  });

  test('has the nonce of its lease, which comes back whole or not at all', () => {
    const [state] = fc.sample(
      leased.filter((one) => one.kind === 'bound'),
      1,
    );
    assert.ok(state?.kind === 'bound');
    const withNonce = (key: string, replay: string): Json => {
      const record = recordOf({ ...state, lease: { ...state.lease, nonce: { key, replay } } });
      return JSON.parse(JSON.stringify(record)) as Json;
    };
    const good = withNonce('0a'.repeat(16), 'ff'.repeat(8));
    const read = parseRecord(good);
    assert.ok(read.ok);
    assert.deepEqual(JSON.parse(JSON.stringify(read.value)), good);
    for (const [key, replay] of [
      ['0a'.repeat(15), 'ff'.repeat(8)],
      ['0A'.repeat(16), 'ff'.repeat(8)],
      ['0a'.repeat(16), 'ff'.repeat(9)],
      ['0a'.repeat(16), '5'],
    ] as const) {
      const bad = parseRecord(withNonce(key, replay));
      // The error ends up in the log.
      assert.ok(!bad.ok && bad.error.startsWith('state.lease.nonce') && !bad.error.includes(key));
    }
  });

  test('with T1, T2 and end out of order is refused: it would be used past its end', () => {
    const [state] = fc.sample(
      leased.filter((one) => one.kind === 'bound' && one.lease.times !== undefined),
      1,
    );
    assert.ok(state?.kind === 'bound' && state.lease.times !== undefined);
    const times = { ...state.lease.times, renewAt: instant(state.lease.times.expiresAt + 1) };
    const record = recordOf({ ...state, lease: { ...state.lease, times } });
    const read = parseRecord(JSON.parse(JSON.stringify(record)) as Json);
    assert.ok(!read.ok);
    assert.match(read.error, /^state\.lease\.times: T1, T2 and end out of order/);
  });
});

/** Why a file of that name and content is not taken. */
function problem(file: string, content: string): string {
  const read = readStored(file, content, (key) => key);
  return read.ok ? 'taken' : read.error;
}

describe('a stored file', () => {
  const name = 'c1/lan/eth0';
  const text = JSON.stringify(recordOf({ kind: 'init', last: undefined }));
  test('is taken under its own name only', () => {
    assert.equal(problem(name, text), 'taken');
    assert.equal(problem('other', text), 'the name does not fit the lease inside');
  });

  test('that is cut off, empty or hostile is named', () => {
    assert.match(problem(name, text.slice(0, 40)), /^not JSON/);
    assert.match(problem(name, ''), /^not JSON/);
    assert.equal(problem(name, '['.repeat(100_000)), 'nests too deep');
    assert.match(problem(name, '{"__proto__": {"schema": 1}}'), /^schema/);
  });
});
