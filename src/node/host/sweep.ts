import { later, millis, seconds } from '../../base/time.ts';
import { type AttachmentKey, type AttachmentRecord, attachmentText } from './record.ts';
import type { HostWorld } from './world.ts';

/** How often it is looked whether pods went away without a DEL. */
const SWEEP = seconds(30);
/** Pods looked at in one turn of the loop: some 10 microseconds each. */
const SLICE = 50;
const BETWEEN_SLICES = millis(2);

export interface SweepOwner {
  attachments(): readonly AttachmentRecord[];
  /** Never fails. */
  detach(key: AttachmentKey): Promise<void>;
}

/** Finds pods that went away without a DEL. */
export class Sweep {
  readonly #world: Pick<HostWorld, 'clock' | 'timers' | 'namespaceAt'>;
  readonly #owner: SweepOwner;
  /** Seen once without their namespace. */
  #missing = new Set<string>();
  #cancel: (() => void) | undefined;
  #closed = false;

  constructor(world: Pick<HostWorld, 'clock' | 'timers' | 'namespaceAt'>, owner: SweepOwner) {
    this.#world = world;
    this.#owner = owner;
  }

  /** From now on, every now and then. */
  start(): void {
    const { timers, clock } = this.#world;
    this.#cancel = timers.at(later(clock.now(), SWEEP), () => void this.#sweep());
  }

  /** Two looks must agree that a pod is gone; one that cannot be seen is left alone. */
  async #sweep(): Promise<void> {
    const gone: AttachmentRecord[] = [];
    for (const [at, record] of this.#owner.attachments().entries()) {
      if (at > 0 && at % SLICE === 0) await this.#pause();
      if (this.isGone(record)) gone.push(record);
    }
    const before = this.#missing;
    this.#missing = new Set(gone.map(({ key }) => attachmentText(key)));
    for (const record of gone) {
      const isStill = before.has(attachmentText(record.key)) && this.#owner.attachments().includes(record);
      if (isStill) await this.#owner.detach(record.key);
    }
    if (!this.#closed) this.start();
  }

  #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { timers, clock } = this.#world;
    this.#cancel = timers.at(later(clock.now(), BETWEEN_SLICES), resolve);
    return promise;
  }

  /** Whether its namespace is gone, or another one is in its place. */
  isGone({ netns }: Pick<AttachmentRecord, 'netns'>): boolean {
    const found = this.#world.namespaceAt(netns.path);
    return 'inode' in found ? found.inode !== netns.inode : found.kind === 'gone';
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }
}
