import { type Duration, type Instant, later, seconds } from '../base/time.ts';

/** Longer than pods of a burst are apart; what an ADD does afterwards (probes, announcements) is then nearly over. */
const REST = seconds(10);

export type RestParts = {
  readonly now: () => Instant;
  readonly at: (at: Instant, callback: () => void) => () => void;
  /** Called once each time, until pods come or go again. */
  readonly onRest: () => void;
  /** How long no pod may have come or gone for that; 10 s. */
  readonly after?: Duration;
};

/** Notices that no pod has come or gone for a while: after a burst, not within it, and first after the start. */
export class Rest {
  readonly #parts: RestParts;
  #cancel: (() => void) | undefined;

  constructor(parts: RestParts) {
    this.#parts = parts;
    this.stir();
  }

  /** A pod comes or goes. */
  stir(): void {
    const { now, at, onRest, after = REST } = this.#parts;
    this.#cancel?.();
    this.#cancel = at(later(now(), after), () => {
      this.#cancel = undefined;
      onRest();
    });
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
