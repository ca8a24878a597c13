import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { IPV4_ANY } from '../../../src/base/ipv4.ts';
import { instant } from '../../../src/base/time.ts';
import { type ProbeMode, step, wakeAt } from '../../../src/protocol/acd4/machine.ts';
import { announcement, probe } from '../../../src/protocol/acd4/packets.ts';
import { ADDRESS, CONFIG, OTHER, OTHER_ADDRESS, OWN, Play, START, THEIRS } from './play.ts';

const WATCHING = { kind: 'watching', defendedAt: undefined, announceAt: undefined } as const;
const MODES: readonly ProbeMode[] = ['background', 'before'];

function probing(mode: ProbeMode, announced = false): Play {
  const play = new Play();
  play.do({ type: 'probe', mode, announced });
  return play;
}

function watching(): Play {
  const play = new Play();
  play.do({ type: 'watch' });
  return play;
}

describe('packets', () => {
  test('a probe has no sender address, an announcement the same twice (RFC 5227 1.1)', () => {
    const zeros = '00:00:00:00:00:00';
    const common = { op: 'request', senderMac: OWN, targetMac: zeros, targetIp: ADDRESS };
    assert.deepEqual(probe(ADDRESS, OWN), { ...common, senderIp: IPV4_ANY });
    assert.deepEqual(announcement(ADDRESS, OWN), { ...common, senderIp: ADDRESS });
  });
});

describe('in the background', () => {
  const probes = ['500 probe', '2000 probe', '3500 probe'];

  test('three probes with the times of RFC 5227, then two announcements two seconds apart (2.3)', () => {
    const play = probing('background');
    play.run();
    assert.deepEqual(play.journal, [...probes, '5500 announce', '5500 clear', '7500 announce']);
    assert.deepEqual(play.state, WATCHING);
  });

  test('an address that somebody else announces is not announced after its probes', () => {
    const play = probing('background', true);
    play.run();
    assert.deepEqual(play.journal, [...probes, '5500 clear']);
    assert.deepEqual(play.state, WATCHING);
  });

  test('between the announcements it is defended, and announced once more all the same', () => {
    const play = probing('background');
    while (play.state.kind === 'probing') {
      play.now = wakeAt(play.state) ?? play.now;
      play.do({ type: 'wake' });
    }
    play.pass(500);
    play.hear(THEIRS.announcement);
    play.run();
    assert.deepEqual(play.journal.slice(4), [
      '5500 clear',
      '6000 announce',
      `6000 defended ${OTHER}`,
      '7500 announce',
    ]);
    play.hear(THEIRS.announcement);
    assert.equal(play.state.kind, 'conflict');
  });

  test('earliest and latest', () => {
    for (const [random, expected] of [
      [0, ['0 probe', '1000 probe', '2000 probe', '4000 announce', '4000 clear', '6000 announce']],
      [0.9999, ['999 probe', '2998 probe', '4997 probe', '6997 announce', '6997 clear', '8997 announce']],
    ] as const) {
      const play = new Play(() => random);
      play.do({ type: 'probe', mode: 'background', announced: false });
      play.run();
      assert.deepEqual(play.journal, expected);
    }
  });

  test('the probe of another is no conflict: the kernel answers it, for the address is in use', () => {
    const play = probing('background');
    play.hear(THEIRS.probe);
    play.run();
    assert.equal(play.state.kind, 'watching');
  });
});

describe('before the address is used', () => {
  test('three probes, and free after 300 ms without an announcement: who puts it on makes it', () => {
    const play = probing('before');
    play.run();
    assert.deepEqual(play.journal, ['0 probe', '100 probe', '200 probe', '300 clear']);
    assert.equal(play.state.kind, 'watching');
  });

  test('who probes for it at the same time is a conflict (RFC 5227 2.1.1)', () => {
    const play = probing('before');
    play.hear(THEIRS.probe);
    assert.deepEqual(play.journal, ['0 probe', `0 conflict ${OTHER}`]);
  });
});

describe('while probing', () => {
  for (const mode of MODES) {
    for (const name of ['reply', 'announcement', 'question'] as const) {
      test(`${mode}: ${name} of who has the address is a conflict`, () => {
        const play = probing(mode);
        play.hear(THEIRS[name]);
        assert.deepEqual(play.state, { kind: 'conflict', by: OTHER });
        assert.equal(play.journal.at(-1), `0 conflict ${OTHER}`);
        assert.equal(wakeAt(play.state), undefined);
      });
    }

    test(`${mode}: until the last moment`, () => {
      const play = probing(mode);
      while (play.state.kind === 'probing' && play.state.sent < 3) {
        play.now = play.state.nextAt;
        play.do({ type: 'wake' });
      }
      play.hear(THEIRS.reply);
      assert.equal(play.state.kind, 'conflict');
    });

    test(`${mode}: what comes from our own MAC never is, as when a switch sends it back`, () => {
      const play = probing(mode);
      for (const packet of Object.values(THEIRS)) play.hear({ ...packet, senderMac: OWN });
      play.run();
      assert.equal(play.state.kind, 'watching');
    });

    test(`${mode}: what is about other addresses never is`, () => {
      const play = probing(mode);
      play.hear(probe(OTHER_ADDRESS, OTHER));
      play.hear(announcement(OTHER_ADDRESS, OTHER));
      // Somebody who asks for the address has another one.
      play.hear({ ...THEIRS.probe, senderIp: OTHER_ADDRESS });
      play.hear({ ...THEIRS.reply, senderIp: IPV4_ANY, targetIp: ADDRESS });
      play.run();
      assert.equal(play.state.kind, 'watching');
    });

    test(`${mode}: an early wake changes nothing, a late one sends one probe and not all that were missed`, () => {
      const play = probing(mode);
      const before = play.state;
      play.now = instant(START - 1);
      play.do({ type: 'wake' });
      assert.equal(play.state, before);
      const sent = play.journal.length;
      play.pass(3_600_000);
      play.do({ type: 'wake' });
      assert.equal(play.journal.length, sent + 1);
      assert.ok((wakeAt(play.state) ?? 0) > play.now);
    });
  }
});

describe('while the address is in use', () => {
  test('nothing is wanted: no timer', () => {
    assert.equal(wakeAt(watching().state), undefined);
    const play = watching();
    play.do({ type: 'wake' });
    assert.deepEqual(play.journal, []);
  });

  test('the first who claims it is told that it is in use (RFC 5227 2.4 b)', () => {
    const play = watching();
    play.hear(THEIRS.announcement);
    assert.deepEqual(play.journal, ['0 announce', `0 defended ${OTHER}`]);
  });

  test('who claims it again within 10 s has it', () => {
    const play = watching();
    play.hear(THEIRS.announcement);
    play.pass(9999);
    play.hear(THEIRS.reply);
    assert.equal(play.journal.at(-1), `9999 conflict ${OTHER}`);
    play.hear(THEIRS.reply);
    assert.equal(play.journal.length, 3, 'once');
  });

  test('who claims it after 10 s is told again', () => {
    const play = watching();
    for (let i = 0; i < 3; i++) {
      play.hear(THEIRS.announcement);
      play.pass(10_000);
    }
    assert.deepEqual(
      play.journal.filter((line) => line.endsWith('announce')),
      ['0 announce', '10000 announce', '20000 announce'],
    );
  });

  test('the kernel answers probes for it; our own packets mean nothing', () => {
    const play = watching();
    play.hear(THEIRS.probe);
    play.hear(announcement(ADDRESS, OWN));
    assert.deepEqual(play.journal, []);
  });
});

test('idle and after a conflict it is deaf; it can begin again', () => {
  const play = new Play();
  for (const packet of Object.values(THEIRS)) play.hear(packet);
  play.do({ type: 'wake' });
  assert.deepEqual([play.state, play.journal], [{ kind: 'idle' }, []]);
  play.do({ type: 'probe', mode: 'before', announced: true });
  play.hear(THEIRS.reply);
  play.do({ type: 'probe', mode: 'before', announced: true });
  assert.equal(play.state.kind, 'probing');
});

test('a step changes nothing of what it is given', () => {
  const state = Object.freeze(WATCHING);
  const env = { now: instant(START), random: () => 0 };
  const packet = THEIRS.announcement;
  const first = step(CONFIG, state, { type: 'packet', packet }, env);
  assert.deepEqual(step(CONFIG, state, { type: 'packet', packet }, env), first);
});
