import { isSysError } from '../../base/sys-error.ts';
import { forgetRecord } from './forget-record.ts';
import { nextTurn } from './next-turn.ts';
import { PodSide } from './pod-side.ts';
import type { PodSidePort } from './ports.ts';
import { type AttachmentRecord, attachmentText } from './record.ts';
import type { HostWorld } from './world.ts';

type One = {
  readonly pod: PodSide;
  readonly record: AttachmentRecord;
  /** Whether the record is on disk. Never rejects with SysError: `attach` tries again, and says why it fails. */
  readonly stored: Promise<boolean>;
};

/** What was begun in pods whose ADD is under way, before they have an address. */
export class Begun {
  readonly #world: HostWorld;
  readonly #all = new Map<string, One>();

  constructor(world: HostWorld) {
    this.#world = world;
  }

  /**
   * `index`: the pod's interface. `isFirst`: no other attachment has this name and a record, which counts until this one
   * takes its place.
   */
  begin(record: AttachmentRecord, index: number, open: PodSidePort, isFirst: boolean): void {
    const pod = new PodSide(this.#world, record);
    pod.begin(index, open);
    const stored = isFirst ? this.#store(record) : Promise.resolve(false);
    this.#all.set(attachmentText(record.key), { pod, record, stored });
  }

  /** While the address is asked for: a daemon that is killed finds it, and a pod that went. */
  async #store(record: AttachmentRecord): Promise<boolean> {
    await nextTurn();
    try {
      await this.#world.store.put(record);
      return true;
    } catch (error) {
      if (!isSysError(error)) throw error;
      return false;
    }
  }

  get(attachment: string): One | undefined {
    return this.#all.get(attachment);
  }

  /** The ADD is over. What was begun is taken back, unless it is `kept`; its record is gone when this resolves. Never fails. */
  async ended(attachment: string, kept: PodSide | undefined): Promise<void> {
    const one = this.#all.get(attachment);
    this.#all.delete(attachment);
    if (one === undefined || kept === one.pod) return;
    void one.pod.remove();
    if ((await one.stored) && kept === undefined) await forgetRecord(this.#world, one.record);
  }
}
