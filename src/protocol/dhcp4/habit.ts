import { millis } from '../../base/time.ts';
import { EXTRA, type Extras, ladderOf, type Manner, nameOnly, union } from './extras.ts';

/**
 * How a client begins to ask on a LAN, from what clients before it found out. Plain JSON. Option 61 is in all of its
 * parts or in none.
 */
export type Habit = {
  /** The first DISCOVER: what is suspected, and no more. */
  readonly first: Manner;
  /** A manner that was answered; tried next where `first` is not it. */
  readonly whole: Manner;
  /** What a REQUEST lacks: perhaps less than the DISCOVER, for its answer is what a pod is configured with. */
  readonly request: readonly number[];
  /** How often `first` was more than a server took, in a row. */
  readonly failed: number;
};

const PLAIN: Manner = { leftOut: [], broadcast: false };

/** Nothing is known: ask as it is configured. */
export const NO_HABIT: Habit = { first: PLAIN, whole: PLAIN, request: [], failed: 0 };

/** Narrowings that may fail until `whole` is taken as it is: two extras may be at fault, and each try costs a pod 0.25 s. */
const MOST_FAILED = 4;
/**
 * An OFFER that comes sooner than that after a DISCOVER is the answer to this one and not to an earlier one: half of the
 * shortest pause between two. A server that is slower teaches nothing.
 */
export const PROMPT = millis(125);

/**
 * How the DISCOVER number `tries` (from 0) of a search is asked. The first one is as the habit says, where there is one
 * the second too. Then each lacks more than the one before, up to everything but the identity, whatever the habit was:
 * it may be what is wrong. After that it begins anew. The broadcast bit is set in the first round (RFC 2131 4.1: a
 * unicast answer may not get through), in the next one it is not (a broadcast may not either), and so on.
 */
export function mannerOf(config: Extras, { first, whole }: Habit, tries: number): Manner {
  if (tries === 0) return first;
  const name = nameOnly(whole.leftOut);
  const isHabit = whole.broadcast || whole.leftOut.length > name.length;
  if (tries === 1 && isHabit) return { ...whole, broadcast: true };
  const ladder = ladderOf(config);
  const at = tries - (isHabit ? 2 : 1);
  const round = Math.floor(at / ladder.length);
  const steps = ladder.slice(0, (at % ladder.length) + 1);
  return { leftOut: union(name, ...steps), broadcast: round % 2 === 0 };
}

function sameManner(a: Manner, b: Manner): boolean {
  const codes = union(a.leftOut, b.leftOut).length;
  return a.broadcast === b.broadcast && codes === a.leftOut.length && codes === b.leftOut.length;
}

/** The habit with something done to each of its lists. */
function eachList(habit: Habit, change: (leftOut: readonly number[]) => readonly number[]): Habit {
  const { first, whole, request } = habit;
  return {
    ...habit,
    first: { ...first, leftOut: change(first.leftOut) },
    whole: { ...whole, leftOut: change(whole.leftOut) },
    request: change(request),
  };
}

/** A habit of asking without option 61, from this one. */
export function nameless(habit: Habit): Habit {
  return eachList(habit, (leftOut) => union(leftOut, [EXTRA.clientIdentifier]));
}

/** One that does not say that a FORCERENEW is heard, from this one. */
export function withoutForceRenew(habit: Habit): Habit {
  return eachList(habit, (leftOut) => union(leftOut, [EXTRA.forceRenew]));
}

/** The same habit of a client that must give its identifier. */
export function named(habit: Habit): Habit {
  return eachList(habit, (leftOut) => leftOut.filter((code) => code !== EXTRA.clientIdentifier));
}

export function isNameless({ request }: Habit): boolean {
  return request.includes(EXTRA.clientIdentifier);
}

/** That of a client whose messages lacked this until now, and whose messages lack it from now on. */
export function habitOf(leftOut: readonly number[] | undefined): Habit {
  if (leftOut === undefined || leftOut.length === 0) return NO_HABIT;
  const manner: Manner = { leftOut, broadcast: false };
  return { first: manner, whole: manner, request: leftOut, failed: 0 };
}

/** After a refusal: who refuses was not silent, so that only the identity is left of it. */
export function afterRefusal(habit: Habit): Habit {
  return habitOf(nameOnly(habit.request));
}

/** Whether it is still so: asks as it is configured once more, and knows what to try next. The identity stays. */
export function doubted(habit: Habit): Habit {
  const name = nameOnly(habit.request);
  return { ...habit, first: { leftOut: name, broadcast: false }, request: name, failed: 0 };
}

/** A DISCOVER that was answered. */
export type Answered = {
  readonly manner: Manner;
  /** The try before it, which was not answered; undefined: it was the first. */
  readonly before: Manner | undefined;
  /** The OFFER came within PROMPT, and is the first: it shows that the messages before it were not answered. */
  readonly prompt: boolean;
};

/**
 * What the next client should begin with; the same habit where nothing was learned. What an answered message lacked and
 * the one before it did not is suspected; where the suspicion proves right, half of it is tried, until one is left.
 */
export function learn(habit: Habit, answered: Answered | undefined): Habit {
  if (answered === undefined) return habit;
  const { manner, before, prompt } = answered;
  if (before === undefined) return confirm(habit);
  if (!prompt) return habit;
  const more = manner.leftOut.filter((code) => !before.leftOut.includes(code));
  const failed = sameManner(habit.first, PLAIN) ? 0 : habit.failed + 1;
  const name = nameOnly(manner.leftOut);
  // With more than one change the bit is the lesser suspicion: it would cost every pod of the node a message to hear.
  const suspected: Manner =
    more.length > 0 ? { leftOut: union(name, more), broadcast: false } : onlyTheBit(manner, before, name);
  if (more.length === 0 && manner.broadcast === before.broadcast) return habit;
  return { ...habit, first: failed > MOST_FAILED ? manner : suspected, whole: manner, failed };
}

function onlyTheBit(manner: Manner, before: Manner, name: readonly number[]): Manner {
  return manner.broadcast && !before.broadcast ? { leftOut: name, broadcast: true } : manner;
}

/** The first message was answered: nothing beyond it is needed, perhaps less. */
function confirm(habit: Habit): Habit {
  const { first, failed } = habit;
  const name = nameOnly(first.leftOut);
  const others = first.leftOut.filter((code) => !name.includes(code));
  if (others.length + name.length === 0 && !first.broadcast) return NO_HABIT;
  if (others.length < 2 || failed > MOST_FAILED) return { ...habit, whole: first };
  const half = others.slice(0, Math.ceil(others.length / 2));
  return { ...habit, first: { ...first, leftOut: union(name, half) }, whole: first };
}
