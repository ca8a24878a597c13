import type { Attachment } from '../../../src/lab/cni-conf.ts';
import { viewResult } from '../../../src/lab/cni-result.ts';
import { CniPluginError } from '../../../src/lab/cni-exec.ts';
import type { Namespace } from '../../../src/lab/namespace.ts';
import { newContainerId, POD_INTERFACE } from '../../../src/lab/pods.ts';
import { pause, waitFor } from '../../../src/lab/wait.ts';
import { NETWORK, type LanSite } from '../../daemon/support/lan.ts';
import type { Namespaces } from './namespaces.ts';

/** How long a pod lives, most of them; some outlive a lease. */
const SHORT_LIFE_MS = 300;
const LONG_LIFE_MS = 9000;
const LONG_LIVED = 0.15;
/** Most ADDs wait for a daemon that is ready, others meet whatever there is. */
const IMPATIENT = 0.15;
/** A runtime removes the namespace after the DEL; where it is kept here, it is looked at. */
const GONE = 0.3;
const BACK_OFF_MS = 50;
const DEADLINE_MS = 60_000;
const MOST_DELS = 100;
/** The relay's words for a daemon that has not seen the request, or did nothing for it. */
const REFUSED = /^(cannot connect to the daemon|the daemon is not ready)/;

/**
 * What the runtime knows of one pod. Its ADD failed: `refused` when the daemon was away or not ready, `cut` when it
 * ended while at it. Both were followed by a DEL.
 */
export type Life = {
  readonly attachment: Attachment;
  readonly namespace: Namespace;
  readonly address: string | undefined;
  /** Its namespace went right after the DEL, whether that was done or only promised. */
  readonly isGone?: boolean;
  readonly end: 'runs' | 'deleted' | 'refused' | 'cut';
};

type SlotParts = {
  readonly namespaces: Namespaces;
  /** Whether the daemon takes calls, as far as is known. */
  readonly isReady: () => boolean;
  readonly random: () => number;
};

/** A place where pods come and go, one after another, each with a namespace of its own. */
export class Slot {
  /** Of the newest pod last. */
  readonly lives: Life[] = [];
  readonly #site: LanSite;
  readonly #namespaces: Namespaces;
  readonly #isReady: () => boolean;
  readonly #random: () => number;
  #paused = false;
  #loop: Promise<void> = Promise.resolve();

  constructor(site: LanSite, { namespaces, isReady, random }: SlotParts) {
    this.#site = site;
    this.#namespaces = namespaces;
    this.#isReady = isReady;
    this.#random = random;
  }

  get running(): Life | undefined {
    const newest = this.lives.at(-1);
    return newest?.end === 'runs' ? newest : undefined;
  }

  /** ADD, and after a failure DEL until it succeeds, as libcni's callers do. True when it was attached. */
  async add(): Promise<boolean> {
    const namespace = await this.#namespaces.take();
    const attachment = { containerId: newContainerId(), netns: namespace.path, ifName: POD_INTERFACE };
    try {
      const { result } = await this.#site.runtime.add(NETWORK, attachment, { delOnFailure: false });
      const address = viewResult(result).address?.address;
      this.lives.push({ attachment, namespace, address, end: 'runs' });
      return true;
    } catch (error) {
      if (!(error instanceof CniPluginError)) throw error;
      const end = REFUSED.test(error.msg) ? 'refused' : 'cut';
      this.lives.push({ attachment, namespace, address: undefined, end });
      await this.#delete(attachment);
      return false;
    }
  }

  async #delete(attachment: Attachment): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        await this.#site.runtime.del(NETWORK, attachment);
        return;
      } catch (error) {
        if (!(error instanceof CniPluginError) || tries === MOST_DELS) throw error;
        await pause(this.#random() * BACK_OFF_MS);
      }
    }
  }

  async delete(): Promise<void> {
    const life = this.running;
    if (life === undefined) return;
    await this.#delete(life.attachment);
    const isGone = this.#random() < GONE;
    this.lives[this.lives.length - 1] = { ...life, end: 'deleted', isGone };
    if (isGone) await this.#namespaces.drop([life.namespace]);
  }

  /** Pods come and go from now on. */
  go(): void {
    this.#paused = false;
    this.#loop = this.#churn();
    // Awaited by rest(); a failure before that must not end the process.
    this.#loop.catch(() => undefined);
  }

  async #churn(): Promise<void> {
    while (!this.#paused) {
      if (this.running !== undefined || (await this.add())) {
        const life = this.#random() * (this.#random() < LONG_LIVED ? LONG_LIFE_MS : SHORT_LIFE_MS);
        await this.#sleep(life);
        if (!this.#paused) await this.delete();
      }
      const isImpatient = this.#random() < IMPATIENT;
      if (!isImpatient) {
        await this.#until(() => this.#isReady());
      }
    }
  }

  async #sleep(ms: number): Promise<void> {
    const until = performance.now() + ms;
    await this.#until(() => performance.now() >= until);
  }

  async #until(condition: () => boolean): Promise<void> {
    await waitFor('the next step', () => this.#paused || condition(), { deadlineMs: DEADLINE_MS });
  }

  /** Ends what is under way and begins nothing more; the pod that is there stays. */
  async rest(): Promise<void> {
    this.#paused = true;
    await this.#loop;
  }
}
