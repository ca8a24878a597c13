import { type Duration, type Instant, later, seconds } from '../base/time.ts';

/** Longer than pods of a burst are apart; what an ADD does afterwards (probes, announcements) is then nearly over. */
const REST = seconds(10);
/** A few pods leave nothing that is worth the look for it (0.3 ms where nothing is free). */
const WORTH_IT = 20;

export type RestParts = {
  readonly now: () => Instant;
  readonly at: (at: Instant, callback: () => void) => () => void;
  /** Called once each time, until pods come or go again. */
  readonly onRest: () => void;
  /** How long no pod may have come or gone for that; 10 s. */
  readonly after?: Duration;
};

/**
 * Notices that no pod has come or gone for a while where many have before: after a burst, not within it. The start counts as
 * one.
 */
export class Rest {
  readonly #parts: RestParts;
  #stirred = WORTH_IT;
  #cancel: (() => void) | undefined;

  constructor(parts: RestParts) {
    this.#parts = parts;
    this.#wait();
  }

  /** A pod comes or goes. */
  stir(): void {
    this.#stirred++;
    this.#wait();
  }

  #wait(): void {
    if (this.#stirred < WORTH_IT) return;
    const { now, at, onRest, after = REST } = this.#parts;
    this.#cancel?.();
    this.#cancel = at(later(now(), after), () => {
      this.#cancel = undefined;
      this.#stirred = 0;
      onRest();
    });
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
