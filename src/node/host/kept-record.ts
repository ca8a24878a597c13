import { isSysError, type SysError } from '../../base/sys-error.ts';
import type { UplinkRecord } from './record.ts';

/**
 * The record of one uplink, as it is to be and on disk. A full disk keeps nobody from mending the node: it is said, and
 * each look tries again to save what is to be.
 */
export class KeptRecord {
  readonly #store: (record: UplinkRecord) => Promise<void>;
  #now: UplinkRecord;
  #unsaved: SysError | undefined;

  constructor(record: UplinkRecord, store: (record: UplinkRecord) => Promise<void>) {
    this.#now = record;
    this.#store = store;
  }

  get now(): UplinkRecord {
    return this.#now;
  }

  /** Why the record on disk is not this one. */
  get unsaved(): SysError | undefined {
    return this.#unsaved;
  }

  /** On disk when it resolves, if that takes it. `by`: what stores it, where that is more than a file. */
  async save(
    change: Partial<UplinkRecord>,
    by: (record: UplinkRecord) => Promise<void> = this.#store,
  ): Promise<void> {
    this.#now = { ...this.#now, ...change };
    try {
      await by(this.#now);
      this.#unsaved = undefined;
    } catch (error) {
      if (!isSysError(error)) throw error;
      this.#unsaved = error;
    }
  }

  /** Tries again what could not be saved. */
  async saveAgain(): Promise<void> {
    if (this.#unsaved !== undefined) await this.save({});
  }
}
