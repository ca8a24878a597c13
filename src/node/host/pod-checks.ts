import type { AttachmentKey, AttachmentRecord } from './record.ts';

/** A look at one pod takes milliseconds, and who asks waits five seconds. */
export const PODS_CHECKED_AT_ONCE = 256;

/** What was found in the pods that were looked at. */
export type PodsChecked = {
  readonly looked: number;
  /** Those with problems only. */
  readonly pods: readonly { readonly key: AttachmentKey; readonly problems: readonly string[] }[];
};

type Pod = { readonly record: AttachmentRecord };

type Look<P extends Pod> = {
  /** False for one that went meanwhile: nothing is wrong with it. */
  readonly isThere: (pod: P) => boolean;
  readonly problems: (pod: P) => Promise<readonly string[]>;
};

/** Looks at pods one after another, at most PODS_CHECKED_AT_ONCE of them; the next look goes on where this one ends. */
export class PodChecks {
  #next = 0;
  #running: Promise<PodsChecked> | undefined;

  /** Who asks while a look is under way gets what that finds. */
  run<P extends Pod>(
    pods: readonly P[],
    look: Look<P>,
    limit: number = PODS_CHECKED_AT_ONCE,
  ): Promise<PodsChecked> {
    const most = Math.min(limit, PODS_CHECKED_AT_ONCE, pods.length);
    this.#running ??= this.#look(pods, look, most).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #look<P extends Pod>(pods: readonly P[], look: Look<P>, most: number): Promise<PodsChecked> {
    const from = this.#next >= pods.length ? 0 : this.#next;
    const round = [...pods.slice(from), ...pods.slice(0, from)].slice(0, most);
    this.#next = (from + most) % Math.max(1, pods.length);
    const found = [];
    let looked = 0;
    for (const pod of round) {
      if (!look.isThere(pod)) continue;
      // Answers of the kernel come by other threads: in between, the loop is free.
      const problems = await look.problems(pod);
      if (!look.isThere(pod)) continue;
      looked += 1;
      if (problems.length > 0) found.push({ key: pod.record.key, problems });
    }
    return { looked, pods: found };
  }
}
