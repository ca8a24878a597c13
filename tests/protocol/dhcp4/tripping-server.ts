import assert from 'node:assert/strict';
import { type Instant, instant } from '../../../src/base/time.ts';
import { step } from '../../../src/protocol/dhcp4/client.ts';
import { type Habit, NO_HABIT } from '../../../src/protocol/dhcp4/habit.ts';
import type { Lease4 } from '../../../src/protocol/dhcp4/lease.ts';
import { lessonOf } from '../../../src/protocol/dhcp4/manner.ts';
import { type Dhcp4Config, type Dhcp4State, leaseOf, wakeAt } from '../../../src/protocol/dhcp4/state.ts';
import type { Dhcp4Effect, Dhcp4Event } from '../../../src/protocol/dhcp4/step.ts';
import type { Dhcp4Message } from '../../../src/wire/dhcp4/message.ts';
import { CONFIG, reply, type ReplyType } from './messages.ts';
import { typeOf } from './transcript.ts';

const ORIGIN = 1_000_000;
const LATENCY_MS = 2;
const LONGEST_MS = 60_000;

/** What a server answers to a message; undefined: it trips over it. */
export type Answers = (message: Dhcp4Message) => ReplyType | undefined;

/** Answers whatever `takes` lets through. */
export function serving(takes: (message: Dhcp4Message) => boolean): Answers {
  return (message) => {
    if (!takes(message)) return undefined;
    return typeOf(message) === 'DISCOVER' ? 'DHCPOFFER' : 'DHCPACK';
  };
}

export type Served = {
  readonly lease: Lease4;
  /** Seconds from the first message to the lease. */
  readonly took: number;
  readonly sent: readonly Dhcp4Message[];
  readonly effects: readonly Dhcp4Effect[];
  readonly state: Dhcp4State;
  /** How the next client begins. */
  readonly habit: Habit;
};

/**
 * One client on virtual time against a server that takes not everything, until there is a lease. `pingMs` is what the
 * server needs for an OFFER, as one that pings the address first. Fails when there is none in a minute.
 */
export function served(
  server: Answers,
  {
    config = {},
    habit = NO_HABIT,
    pingMs = LATENCY_MS,
  }: {
    readonly config?: Partial<Dhcp4Config>;
    readonly habit?: Habit;
    readonly pingMs?: number;
  } = {},
): Served {
  const settings = { ...CONFIG, ...config };
  let draws = 0;
  const random = (): number => (draws++ % 2 === 0 ? 0.5 : 0.25);
  let state: Dhcp4State = { kind: 'init', last: undefined };
  let now: Instant = instant(ORIGIN);
  const sent: Dhcp4Message[] = [];
  const effects: Dhcp4Effect[] = [];
  let onTheWay: readonly { readonly at: number; readonly message: Dhcp4Message }[] = [];
  let learned: Habit | undefined;
  const take = (event: Dhcp4Event): void => {
    const next = step(settings, state, event, { now, random, protect: [] });
    if (leaseOf(state) === undefined && leaseOf(next.state) !== undefined) {
      learned = lessonOf(settings, state, now);
    }
    state = next.state;
    effects.push(...next.effects);
    for (const effect of next.effects) {
      if (effect.type !== 'send') continue;
      sent.push(effect.message);
      const type = server(effect.message);
      if (type === undefined) continue;
      const options =
        effect.message.options.has(80) && type === 'DHCPACK' ? { 'rapid-commit': true as const } : {};
      const latency = type === 'DHCPOFFER' ? pingMs : LATENCY_MS;
      const answer = { at: now + latency, message: reply(type, effect.message.xid, { options }) };
      onTheWay = [...onTheWay, answer].toSorted((a, b) => a.at - b.at);
    }
  };
  take({ type: 'start', habit });
  while (leaseOf(state) === undefined) {
    const [answer] = onTheWay;
    const due = Math.min(answer?.at ?? Infinity, wakeAt(state) ?? Infinity);
    assert.ok(due - ORIGIN <= LONGEST_MS, `no lease in a minute after ${sent.map(typeOf).join(' ')}`);
    now = instant(Math.max(now, due));
    if (answer !== undefined && answer.at === due) {
      onTheWay = onTheWay.slice(1);
      take({ type: 'message', message: answer.message });
    } else take({ type: 'wake' });
  }
  const lease = leaseOf(state);
  assert.ok(lease !== undefined);
  return { lease, took: (now - ORIGIN) / 1000, sent, effects, state, habit: learned ?? habit };
}
