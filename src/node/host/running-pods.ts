import type { Admission } from './admission.ts';
import type { Attachment } from './attachment.ts';
import { PodRetries } from './pod-retries.ts';
import type { ServiceNetworks } from './service-networks.ts';
import type { HostWorld } from './world.ts';

/** What is needed to know of the pods. */
export interface RunningPodsOwner {
  /** Not detached meanwhile, nor replaced. */
  isCurrent(attachment: Attachment): boolean;
  /** Pods that went without a DEL and have an address of this one are detached. Never rejects. */
  dropGone(attachment: Attachment): Promise<void>;
}

/** Makes running pods, and the node's way to them, follow what changes. Never rejects: what fails is said and tried again. */
export class RunningPods {
  readonly #admission: Admission;
  readonly #services: ServiceNetworks;
  readonly #owner: RunningPodsOwner;
  readonly #retries: PodRetries<Attachment>;
  #closed = false;

  constructor(world: HostWorld, admission: Admission, services: ServiceNetworks, owner: RunningPodsOwner) {
    this.#admission = admission;
    this.#services = services;
    this.#owner = owner;
    this.#retries = new PodRetries(world, (one) => void this.apply([one]));
  }

  /** The address of a lease changed, came or went. */
  async follow(attachment: Attachment | undefined): Promise<void> {
    if (attachment?.record.addresses !== 'lease') return;
    try {
      await this.#owner.dropGone(attachment);
      const admitted = await this.#admission.admitted(attachment);
      if (!this.#owner.isCurrent(attachment)) return;
      await attachment.follow(admitted);
      // With its last address the kernel drops all routes of an interface.
      if (attachment.addresses.length > 0) await attachment.applyInPod(this.#services.all);
    } catch (error) {
      attachment.side?.look();
      this.#retries.failed(attachment, error);
    }
  }

  /** What pods have of the networks of services, one after another. */
  async apply(
    attachments: readonly Attachment[],
    apply: (attachment: Attachment) => Promise<void> = (one) => one.applyInPod(this.#services.all),
  ): Promise<void> {
    for (const attachment of attachments) {
      if (this.#closed || !this.#owner.isCurrent(attachment)) continue;
      try {
        await apply(attachment);
        this.#retries.done(attachment);
      } catch (error) {
        this.#retries.failed(attachment, error);
      }
    }
  }

  /** It is gone: nothing is tried again. */
  forget(attachment: Attachment): void {
    this.#retries.done(attachment);
  }

  close(): void {
    this.#closed = true;
    this.#retries.close();
  }
}
