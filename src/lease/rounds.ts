import { later, millis, seconds } from '../base/time.ts';
import type { LeaseWorld } from './ports.ts';

/** Every pod is looked at so often; two looks in a row must agree before a pod counts as gone. */
const ROUND_PERIOD = seconds(20);
/** Pods looked at in one turn of the loop: 50 microseconds each. */
const SLICE = 20;
const BETWEEN_SLICES = millis(2);

/** Visits all of something every 20 s, a few at a time. One timer, whatever their number. */
export class Rounds<T> {
  readonly #world: Pick<LeaseWorld, 'clock' | 'timers'>;
  readonly #all: () => readonly T[];
  readonly #visit: (one: T) => void;
  #cancel: (() => void) | undefined;
  #left: T[] = [];

  constructor(world: Pick<LeaseWorld, 'clock' | 'timers'>, all: () => readonly T[], visit: (one: T) => void) {
    this.#world = world;
    this.#all = all;
    this.#visit = visit;
  }

  start(): void {
    this.#wake(ROUND_PERIOD);
  }

  /** The next round begins now. */
  soon(): void {
    if (this.#cancel !== undefined && this.#left.length === 0) this.#wake(millis(0));
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#left = [];
  }

  #wake(after: typeof ROUND_PERIOD): void {
    this.#cancel?.();
    const { clock, timers } = this.#world;
    this.#cancel = timers.at(later(clock.now(), after), () => this.#go());
  }

  #go(): void {
    if (this.#left.length === 0) this.#left = [...this.#all()];
    for (const one of this.#left.splice(0, SLICE)) this.#visit(one);
    this.#wake(this.#left.length === 0 ? ROUND_PERIOD : BETWEEN_SLICES);
  }
}
