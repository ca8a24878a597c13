import { setImmediate as nextTurn } from 'node:timers/promises';

/** How long the loop may be kept before others get their turn. */
const SLICE_MS = 5;

/** For a long piece of work on the loop: lets the others have their turn now and then. */
export class Slices {
  #end = performance.now() + SLICE_MS;

  /** Between two steps of the work. */
  async pause(): Promise<void> {
    if (performance.now() < this.#end) return;
    await nextTurn();
    this.#end = performance.now() + SLICE_MS;
  }
}
