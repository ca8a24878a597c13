import type { HostWorld } from './world.ts';
import { between, type Duration, type Instant, later, millis, seconds } from '../../base/time.ts';

/** Repairs so close together are of one disturbance, which had several parts. */
const ONE_DISTURBANCE = millis(250);
/** So many repairs of one thing within the span are somebody who undoes them: a fight. */
const FIGHT_AFTER = 5;
const FIGHT_SPAN = seconds(10);
/** Between repairs in a fight, doubled each time. */
const FIRST_PAUSE = seconds(1);
const LONGEST_PAUSE = seconds(60);
/** Undisturbed for so long: the fight is over. */
const PEACE = seconds(300);
/** More things than that are not told apart: what is oldest is forgotten. */
const MOST_ITEMS = 4096;

/** Something that others change back again and again. */
export type Fight = { readonly item: string; readonly since: Instant; readonly count: number };

type Note = {
  readonly times: Instant[];
  fight: { readonly since: Instant; count: number; pause: Duration; notBefore: Instant } | undefined;
};

/** Remembers what was repaired when, notices fights, and says how long to leave a thing alone then. */
export class Repairs {
  readonly #notes = new Map<string, Note>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  /** From when on this may be repaired; undefined: at once. */
  notBefore(item: string, now: Instant): Instant | undefined {
    const at = this.#notes.get(item)?.fight?.notBefore;
    return at !== undefined && at > now ? at : undefined;
  }

  /** It was repaired. True when a fight begins with this. */
  note(item: string, now: Instant): boolean {
    this.#total += 1;
    const note = this.#noteOf(item);
    const last = note.times.at(-1);
    if (last !== undefined && between(last, now) > PEACE) note.fight = undefined;
    if (last !== undefined && between(last, now) < ONE_DISTURBANCE) return false;
    note.times.push(now);
    if (note.times.length > FIGHT_AFTER) note.times.shift();
    if (note.fight !== undefined) {
      const pause = millis(Math.min(note.fight.pause * 2, LONGEST_PAUSE));
      note.fight.count += 1;
      note.fight.pause = pause;
      note.fight.notBefore = later(now, pause);
      return false;
    }
    const [first] = note.times;
    const often = note.times.length === FIGHT_AFTER && first !== undefined;
    if (!often || between(first, now) > FIGHT_SPAN) return false;
    note.fight = {
      since: first,
      count: FIGHT_AFTER,
      pause: FIRST_PAUSE,
      notBefore: later(now, FIRST_PAUSE),
    };
    return true;
  }

  /** Those of the last minutes. */
  fights(now: Instant): readonly Fight[] {
    return [...this.#notes].flatMap(([item, { fight, times }]) => {
      const last = times.at(-1);
      const isOver = last === undefined || between(last, now) > PEACE;
      return fight === undefined || isOver ? [] : [{ item, since: fight.since, count: fight.count }];
    });
  }

  #noteOf(item: string): Note {
    const known = this.#notes.get(item);
    const note: Note = known ?? { times: [], fight: undefined };
    // The order of the map is that of the last repair.
    this.#notes.delete(item);
    this.#notes.set(item, note);
    if (this.#notes.size > MOST_ITEMS) {
      const [oldest] = this.#notes.keys();
      if (oldest !== undefined) this.#notes.delete(oldest);
    }
    return note;
  }
}

/** In one line of the log. */
const MOST_NAMED = 8;

/** What was made for one uplink, or for the guard: tells a repair from a beginning, and says what was found. */
export class RepairBook {
  readonly #world: Pick<HostWorld, 'clock' | 'log' | 'count'>;
  readonly #repairs: Repairs;
  #of: string;
  readonly #made = new Set<string>();
  readonly #repaired: string[] = [];

  /** `of`: what the items are told apart by beside their names. */
  constructor(world: Pick<HostWorld, 'clock' | 'log' | 'count'>, repairs: Repairs, of: string) {
    this.#world = world;
    this.#repairs = repairs;
    this.#of = of;
  }

  /** What it is of has another name now. */
  renamed(of: string): void {
    this.#of = of;
  }

  /** It is in the kernel: its absence would be a repair. */
  made(...items: readonly string[]): void {
    for (const item of items) this.#made.add(item);
  }

  /** It is not wanted any more. */
  unmade(...items: readonly string[]): void {
    for (const item of items) this.#made.delete(item);
  }

  /** From when on this may be repaired; undefined: at once. */
  notBefore(item: string): Instant | undefined {
    return this.#repairs.notBefore(this.#name(item), this.#world.clock.now());
  }

  #name(item: string): string {
    return `${this.#of}: ${item}`;
  }

  /** It was put into the kernel: for the first time, or again. */
  note(item: string): void {
    if (!this.#made.has(item)) {
      this.#made.add(item);
      return;
    }
    this.#repaired.push(item);
    this.#world.count('host-repaired');
    if (!this.#repairs.note(this.#name(item), this.#world.clock.now())) return;
    this.#world.count('host-fight');
    this.#world.log.error(
      { of: this.#of, item },
      'something else on this node changes this back again and again (leasehold doctor says more); it is repaired more rarely now',
    );
  }

  /** Says what was repaired since the last time. */
  report(): void {
    const repaired = this.#repaired.splice(0);
    if (repaired.length === 0) return;
    this.#world.log.warn(
      { of: this.#of, repaired: repaired.slice(0, MOST_NAMED), count: repaired.length },
      'the node was changed by others: what pods need is put back',
    );
  }
}
