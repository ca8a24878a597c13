import { isSysError } from '../../base/sys-error.ts';
import type { Admission } from './admission.ts';
import type { Attachment } from './attachment.ts';
import { attachmentText } from './record.ts';
import type { ServiceNetworks } from './service-networks.ts';
import type { HostWorld } from './world.ts';

/** What is needed to know of the pods. */
export interface RunningPodsOwner {
  /** Not detached meanwhile, nor replaced. */
  isCurrent(attachment: Attachment): boolean;
  /** Pods that went without a DEL and have an address of this one are detached. Never rejects. */
  dropGone(attachment: Attachment): Promise<void>;
}

/** Makes running pods, and the node's way to them, follow what changes. Never rejects: what fails is said. */
export class RunningPods {
  readonly #world: HostWorld;
  readonly #admission: Admission;
  readonly #services: ServiceNetworks;
  readonly #owner: RunningPodsOwner;
  #closed = false;

  constructor(world: HostWorld, admission: Admission, services: ServiceNetworks, owner: RunningPodsOwner) {
    this.#world = world;
    this.#admission = admission;
    this.#services = services;
    this.#owner = owner;
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
      this.#failed(attachment, error);
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
      } catch (error) {
        this.#failed(attachment, error);
      }
    }
  }

  #failed({ record }: Attachment, error: unknown): void {
    if (!isSysError(error)) throw error;
    this.#world.count('pod-side-failed');
    this.#world.log.warn(
      { attachment: attachmentText(record.key), error: error.message },
      'a running pod could not be told of a change',
    );
  }

  close(): void {
    this.#closed = true;
  }
}
