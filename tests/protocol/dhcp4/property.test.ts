import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type Instant, instant } from '../../../src/base/time.ts';
import { IPV4_ANY, ipv4 } from '../../../src/base/ipv4.ts';
import { step } from '../../../src/protocol/dhcp4/client.ts';
import type { Lease4 } from '../../../src/protocol/dhcp4/lease.ts';
import { type Dhcp4Config, type Dhcp4State, leaseOf, wakeAt } from '../../../src/protocol/dhcp4/state.ts';
import type { Dhcp4Effect, Dhcp4Event } from '../../../src/protocol/dhcp4/step.ts';
import type { DhcpMessageTypeName } from '../../../src/wire/dhcp4/message-type.ts';
import { dhcp4Size, emitDhcp4, MAX_DHCP4_BYTES, parseDhcp4 } from '../../../src/wire/dhcp4/message.ts';
import type { OptionName } from '../../../src/wire/dhcp4/options.ts';
import { ADDRESS, CONFIG, OTHER_ADDRESS, OTHER_SERVER, reply, SERVER } from './messages.ts';

const RUNS = 1500;
/** Nobody may be flooded: not by a server that answers everything at once, not by one that refuses everything. */
const MOST_SENDS_PER_SECOND = 12;

/** What happens: our timer, time that passes, a message (to the transaction under way, or nearly), the owner's will. */
type Happening =
  | { readonly kind: 'wake' | 'conflict' | 'release' | 'start' }
  | { readonly kind: 'pass'; readonly ms: number }
  | {
      readonly kind: 'message';
      readonly type: DhcpMessageTypeName;
      readonly lease: number;
      readonly server: string;
      readonly yiaddr: string;
      readonly xidOff: number;
      readonly rapid: boolean;
      readonly mangled: Partial<Record<OptionName, readonly number[]>>;
    };

const MANGLED: readonly OptionName[] = [
  'dhcp-lease-time',
  'subnet-mask',
  'routers',
  'dhcp-server-identifier',
  'dhcp-renewal-time',
  'dhcp-rebinding-time',
  'rfc3442-classless-static-routes',
  'dhcp-client-identifier',
  'interface-mtu',
  'dhcp-message',
];
const mangled = fc.dictionary(
  fc.constantFrom(...MANGLED),
  fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 12 }),
  { maxKeys: 2 },
);
const TYPES = ['DHCPOFFER', 'DHCPOFFER', 'DHCPACK', 'DHCPACK', 'DHCPACK', 'DHCPNAK', 'DHCPDISCOVER'] as const;

const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 5, arbitrary: fc.constant({ kind: 'wake' } as const) },
  { weight: 1, arbitrary: fc.constantFrom('conflict', 'start').map((kind) => ({ kind }) as const) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('release' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 5_000_000 }) }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('message' as const),
      type: fc.constantFrom(...TYPES),
      lease: fc.constantFrom(0, 1, 2, 10, 120, 3600, 86_400, 0xfffffffe, 0xffffffff),
      server: fc.constantFrom<string>(SERVER, SERVER, SERVER, OTHER_SERVER),
      yiaddr: fc.constantFrom<string>(ADDRESS, ADDRESS, ADDRESS, OTHER_ADDRESS, IPV4_ANY),
      xidOff: fc.constantFrom(0, 0, 0, 0, 1),
      rapid: fc.boolean(),
      mangled: fc.oneof({ weight: 4, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: mangled }),
    }),
  },
);

const config: fc.Arbitrary<Dhcp4Config> = fc.record({
  chaddr: fc.constant(CONFIG.chaddr),
  clientId: fc.constantFrom(CONFIG.clientId, undefined),
  requestedAddress: fc.constantFrom(undefined, undefined, ADDRESS),
  parameterRequest: fc.constant(CONFIG.parameterRequest),
  send: fc.constant(CONFIG.send),
  rapidCommit: fc.boolean(),
  broadcast: fc.constantFrom('auto', 'always', 'never'),
});

/** Numbers from a seed (mulberry32), so that the same run can be made twice. */
function numbers(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What is left of a value in a file: keys that are undefined are gone. */
function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** One client, watched: every step is checked against what must hold whatever happens. */
class Watched {
  readonly config: Dhcp4Config;
  readonly #seed: number;
  state: Dhcp4State = { kind: 'init' };
  now: Instant = instant(500_000);
  #steps = 0;
  #installed: Lease4 | undefined;
  #sends: Instant[] = [];

  constructor(settings: Dhcp4Config, seed: number) {
    this.config = settings;
    this.#seed = seed;
  }

  take(event: Dhcp4Event): void {
    const before = this.state;
    const seed = this.#seed + ++this.#steps;
    const run = (state: Dhcp4State) =>
      step(this.config, state, event, { now: this.now, random: numbers(seed) });
    const next = run(before);
    assert.deepEqual(run(before), next, 'the same input gives the same step');
    const stored = asJson(before) as Dhcp4State;
    assert.deepEqual(asJson(run(stored)), asJson(next), 'a state that was stored goes on alike');
    this.state = next.state;
    for (const effect of next.effects) this.#check(before, effect);
    this.#checkState();
  }

  #check(before: Dhcp4State, effect: Dhcp4Effect): void {
    switch (effect.type) {
      case 'send':
        assert.notEqual(before.kind, 'stopped', 'nothing is sent after the end');
        this.#sends = [...this.#sends.filter((at) => at > this.now - 1000), this.now];
        assert.ok(this.#sends.length <= MOST_SENDS_PER_SECOND, 'no flood');
        assert.ok(dhcp4Size(effect.message) <= MAX_DHCP4_BYTES);
        assert.deepEqual(parseDhcp4(emitDhcp4(effect.message)), { ok: true, value: effect.message });
        break;
      case 'install':
        assert.ok(
          this.#installed === undefined ||
            JSON.stringify(this.#installed.address) === JSON.stringify(effect.lease.address),
          'one address at a time',
        );
        this.#installed = effect.lease;
        break;
      case 'extend':
        assert.deepEqual(effect.lease.address, this.#installed?.address);
        break;
      case 'withdraw':
        assert.deepEqual(effect.lease.address, this.#installed?.address, 'what was installed is withdrawn');
        this.#installed = undefined;
        break;
      case 'ignore':
      case 'refused':
        break;
    }
  }

  #checkState(): void {
    const lease = leaseOf(this.state);
    assert.deepEqual(lease?.address, this.#installed?.address, 'installed is what the state holds');
    if (lease !== undefined) {
      const { times, acquiredAt, address } = lease;
      assert.ok(
        times === undefined ||
          (acquiredAt < times.renewAt && times.renewAt < times.rebindAt && times.rebindAt < times.expiresAt),
        'T1 < T2 < end',
      );
      assert.ok(this.config.requestedAddress === undefined || address.address === ADDRESS);
    }
    const due = wakeAt(this.state);
    if (this.state.kind !== 'bound' && due !== undefined && lease === undefined) {
      assert.ok(due >= this.now || 'tries' in this.state || this.state.kind === 'waiting');
    }
  }

  /** A wake-up that is due sets the next one later, or the client would spin. */
  wake(): void {
    const due = wakeAt(this.state);
    if (due === undefined) {
      this.take({ type: 'wake' });
      return;
    }
    if (due > this.now) this.now = due;
    this.take({ type: 'wake' });
    const next = wakeAt(this.state);
    assert.ok(next === undefined || next > this.now, `${this.state.kind}: the next wake-up lies ahead`);
  }

  happen(what: Happening): void {
    switch (what.kind) {
      case 'wake':
        this.wake();
        break;
      case 'pass':
        this.now = instant(this.now + what.ms);
        this.take({ type: 'wake' });
        break;
      case 'message': {
        const xid = 'xid' in this.state ? (this.state.xid + what.xidOff) >>> 0 : 1;
        const message = reply(what.type, xid, {
          yiaddr: ipv4(what.yiaddr),
          options: {
            'dhcp-lease-time': what.lease,
            'dhcp-server-identifier': ipv4(what.server),
            ...(what.rapid ? { 'rapid-commit': true } : {}),
          },
          raw: what.mangled,
        });
        this.now = instant(this.now + 1);
        this.take({ type: 'message', message });
        break;
      }
      case 'conflict':
      case 'release':
      case 'start':
        this.take({ type: what.kind });
        break;
    }
  }
}

const seeds = fc.integer({ min: 0, max: 2 ** 31 });

test('whatever happens, the invariants hold', () => {
  fc.assert(
    fc.property(config, seeds, fc.array(happening, { maxLength: 60 }), (settings, seed, story) => {
      const client = new Watched(settings, seed);
      client.take({ type: 'start' });
      for (const what of story) client.happen(what);
      client.take({ type: 'release' });
      assert.equal(client.state.kind, 'stopped');
      assert.equal(wakeAt(client.state), undefined);
      for (const what of story) client.happen(what);
    }),
    { numRuns: RUNS },
  );
});

test('whatever happened before, a sane server gives a lease in the end', () => {
  fc.assert(
    fc.property(seeds, fc.array(happening, { maxLength: 30 }), (seed, story) => {
      const client = new Watched(CONFIG, seed);
      client.take({ type: 'start' });
      for (const what of story) if (what.kind !== 'release') client.happen(what);
      for (let turns = 0; turns < 20 && leaseOf(client.state) === undefined; turns++) {
        client.wake();
        if (!('xid' in client.state)) continue;
        const type = client.state.kind === 'selecting' ? 'DHCPOFFER' : 'DHCPACK';
        const options =
          client.state.kind === 'requesting' ? { 'dhcp-server-identifier': client.state.serverId } : {};
        client.take({ type: 'message', message: reply(type, client.state.xid, { options }) });
      }
      assert.ok(leaseOf(client.state) !== undefined);
    }),
    { numRuns: RUNS / 3 },
  );
});

test('no lease is used past its end, however late the timer is', () => {
  fc.assert(
    fc.property(seeds, fc.integer({ min: 1, max: 100_000 }), fc.nat(10_000_000), (seed, secs, late) => {
      const client = new Watched({ ...CONFIG, rapidCommit: false }, seed);
      client.take({ type: 'start' });
      for (const type of ['DHCPOFFER', 'DHCPACK'] as const) {
        assert.ok('xid' in client.state);
        const options = { 'dhcp-lease-time': secs };
        client.take({ type: 'message', message: reply(type, client.state.xid, { options }) });
      }
      const end = leaseOf(client.state)?.times?.expiresAt;
      assert.ok(end !== undefined);
      while (client.now < end) client.wake();
      assert.equal(client.now, end, 'a timer is set to the very end');
      assert.equal(leaseOf(client.state), undefined);
      client.now = instant(client.now + late);
      client.take({ type: 'wake' });
      assert.equal(leaseOf(client.state), undefined);
    }),
    { numRuns: RUNS / 3 },
  );
});
