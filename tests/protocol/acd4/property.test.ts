import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { wakeAt } from '../../../src/protocol/acd4/machine.ts';
import { announcement, probe } from '../../../src/protocol/acd4/packets.ts';
import { ADDRESS, OTHER, OTHER_ADDRESS, OWN, Play, THEIRS } from './play.ts';

/** PROBE_NUM and ANNOUNCE_NUM. */
const MOST_SENDS_PER_PROBING = 5;

const packets = fc.constantFrom(
  ...Object.values(THEIRS),
  probe(ADDRESS, OWN),
  announcement(ADDRESS, OWN),
  announcement(OTHER_ADDRESS, OTHER),
);
const happening = fc.oneof(
  { weight: 4, arbitrary: fc.constant('wake' as const) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 12_000 }) },
  { weight: 2, arbitrary: packets },
);

test('whatever is heard: few packets, one conflict at most, and an end of all probing', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('background' as const, 'before' as const),
      fc.array(happening, { maxLength: 60 }),
      fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
      (mode, happenings, randoms) => {
        const play = new Play(() => randoms.next().value ?? 0);
        play.do({ type: 'probe', mode, announced: mode === 'before' });
        let claims = 0;
        for (const what of happenings) {
          if (what === 'wake') {
            play.now = wakeAt(play.state) ?? play.now;
            play.do({ type: 'wake' });
          } else if (typeof what === 'number') {
            play.pass(what);
            play.do({ type: 'wake' });
          } else {
            if (what.senderIp === ADDRESS && what.senderMac !== OWN) claims += 1;
            play.hear(what);
          }
        }
        play.run();
        assert.notEqual(play.state.kind, 'probing');
        const counted = (end: string): number => play.journal.filter((line) => line.includes(end)).length;
        assert.ok(counted('conflict') <= 1);
        assert.equal(counted('conflict'), play.state.kind === 'conflict' ? 1 : 0);
        assert.ok(counted('probe') + counted('announce') <= MOST_SENDS_PER_PROBING + counted('defended'));
        assert.ok(counted('defended') <= claims);
        if (claims === 0 && mode === 'background') assert.equal(play.state.kind, 'watching');
      },
    ),
    { numRuns: 500 },
  );
});
