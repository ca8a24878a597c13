import { leaseOf } from '../protocol/dhcp4/state.ts';
import type { LeaseWorld } from './ports.ts';
import type { LeaseRecord } from './record.ts';

/** The stored records of RELEASEs that are owed: what is written and removed under one name happens in order. */
export class DebtRecords {
  readonly #world: Pick<LeaseWorld, 'store' | 'log' | 'count'>;
  /** Only what is under way. */
  readonly #tails = new Map<string, Promise<void>>();

  constructor(world: Pick<LeaseWorld, 'store' | 'log' | 'count'>) {
    this.#world = world;
  }

  /** What was asked for but never granted has no form on disk, and is only worth a try of this run. */
  put(text: string, record: LeaseRecord): void {
    if (leaseOf(record.state) === undefined) return;
    this.#later(text, 'a RELEASE that is owed could not be stored', () => this.#world.store.put(record));
  }

  remove(text: string, record: LeaseRecord): void {
    this.#later(text, 'the stored lease could not be removed', () => this.#world.store.remove(record));
  }

  /** Resolves when nothing that was begun under this name is under way. Never rejects. */
  async settled(text: string): Promise<void> {
    await this.#tails.get(text);
  }

  /** The same for all names. */
  async allSettled(): Promise<void> {
    await Promise.all(this.#tails.values());
  }

  /** At once where nothing is under way: a record that is put now survives the end of the process in the next moment. */
  #later(text: string, failure: string, work: () => Promise<void>): void {
    const before = this.#tails.get(text);
    const guarded = async (): Promise<void> => {
      try {
        await work();
      } catch (error) {
        this.#world.count('store-failed');
        const told = error instanceof Error ? error.message : String(error);
        this.#world.log.warn({ lease: text, error: told }, failure);
      }
    };
    const tail = (before === undefined ? guarded() : before.then(guarded)).finally(() => {
      if (this.#tails.get(text) === tail) this.#tails.delete(text);
    });
    this.#tails.set(text, tail);
  }
}
