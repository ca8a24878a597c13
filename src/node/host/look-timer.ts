import { type Duration, type Instant, later, millis } from '../../base/time.ts';
import type { HostWorld } from './world.ts';

/** Notices come in bursts: so long others of the same burst are waited for. */
const BURST: Duration = millis(3);
/** Between two looks: whoever changes things in a loop does not keep the daemon busy. */
const LOOK_GAP: Duration = millis(25);

/** Says when it is time to look at the kernel again: soon after a notice, but not all the time. */
export class LookTimer {
  readonly #world: Pick<HostWorld, 'clock' | 'timers'>;
  readonly #look: () => void;
  #timer: { readonly at: Instant; readonly cancel: () => void } | undefined;
  #lastLook: Instant | undefined;
  #closed = false;

  constructor(world: Pick<HostWorld, 'clock' | 'timers'>, look: () => void) {
    this.#world = world;
    this.#look = look;
  }

  /** Soon, with what else happens in this moment. */
  soon(): void {
    const soon = later(this.#world.clock.now(), BURST);
    const rested = this.#lastLook === undefined ? soon : later(this.#lastLook, LOOK_GAP);
    this.at(soon > rested ? soon : rested);
  }

  /** Not later than that. */
  at(at: Instant): void {
    if (this.#closed || (this.#timer !== undefined && this.#timer.at <= at)) return;
    this.#timer?.cancel();
    const cancel = this.#world.timers.at(at, () => {
      this.#timer = undefined;
      this.#look();
    });
    this.#timer = { at, cancel };
  }

  /** A look begins: the next one has its distance from now. */
  looked(): void {
    this.#lastLook = this.#world.clock.now();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }
}
