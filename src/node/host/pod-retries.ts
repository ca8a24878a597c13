import { isSysError } from '../../base/sys-error.ts';
import { type Duration, later, millis, seconds } from '../../base/time.ts';
import { type AttachmentRecord, attachmentText } from './record.ts';
import type { HostWorld } from './world.ts';

/** After a change that did not reach a running pod; doubled each time. */
const FIRST_RETRY: Duration = seconds(1);
const LAST_RETRY: Duration = seconds(60);

type Pod = { readonly record: AttachmentRecord };
type Waiting = { cancel: () => void; pause: Duration; problem: string };

/** Running pods that were not told of a change: each is told again, more and more rarely, until it is done or gone. */
export class PodRetries<P extends Pod> {
  readonly #world: Pick<HostWorld, 'clock' | 'timers' | 'log' | 'count'>;
  readonly #again: (pod: P) => void;
  readonly #waiting = new Map<string, Waiting>();
  #closed = false;

  /** `again` ends in `failed` or `done`, unless the pod is gone. */
  constructor(world: Pick<HostWorld, 'clock' | 'timers' | 'log' | 'count'>, again: (pod: P) => void) {
    this.#world = world;
    this.#again = again;
  }

  /** Throws what is no SysError. The same reason is said once. */
  failed(pod: P, error: unknown): void {
    if (!isSysError(error)) throw error;
    const text = attachmentText(pod.record.key);
    const before = this.#waiting.get(text);
    this.#world.count('pod-side-failed');
    if (before?.problem !== error.message) {
      this.#world.log.warn(
        { attachment: text, error: error.message },
        'a running pod could not be told of a change; it is tried again',
      );
    }
    if (this.#closed) return;
    before?.cancel();
    const pause = before?.pause ?? FIRST_RETRY;
    const { clock, timers } = this.#world;
    const cancel = timers.at(later(clock.now(), pause), () => this.#again(pod));
    const next = millis(Math.min(pause * 2, LAST_RETRY));
    this.#waiting.set(text, { cancel, pause: next, problem: error.message });
  }

  /** It was told, or is gone. */
  done({ record }: Pod): void {
    const text = attachmentText(record.key);
    this.#waiting.get(text)?.cancel();
    this.#waiting.delete(text);
  }

  close(): void {
    this.#closed = true;
    for (const { cancel } of this.#waiting.values()) cancel();
    this.#waiting.clear();
  }
}
