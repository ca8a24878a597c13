import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { instant } from '../../../src/base/time.ts';
import { leaseOf, wakeAt } from '../../../src/protocol/dhcp4/state.ts';
import { config, habit, happening, last, seeds } from './happenings.ts';
import { CONFIG, reply } from './messages.ts';
import { Watched } from './watched.ts';

const RUNS = 1500;

test('whatever happens, the invariants hold', () => {
  fc.assert(
    fc.property(
      config,
      last,
      fc.option(habit, { nil: undefined }),
      seeds,
      fc.array(happening, { maxLength: 60 }),
      (settings, was, known, seed, story) => {
        const client = new Watched(settings, seed, was);
        client.take({ type: 'start', habit: known });
        for (const what of story) client.happen(what);
        client.take({ type: 'release' });
        assert.equal(client.state.kind, 'stopped');
        assert.equal(wakeAt(client.state), undefined);
        for (const what of story) client.happen(what);
      },
    ),
    { numRuns: RUNS },
  );
});

test('whatever happened before, a sane server gives a lease in the end', () => {
  fc.assert(
    fc.property(
      last,
      fc.boolean(),
      seeds,
      fc.array(happening, { maxLength: 30 }),
      (was, ipv6Only, seed, story) => {
        const client = new Watched({ ...CONFIG, ipv6Only }, seed, was);
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
      },
    ),
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
