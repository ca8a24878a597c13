import { PodSide } from './pod-side.ts';
import type { PodSidePort } from './ports.ts';
import { type AttachmentRecord, attachmentText } from './record.ts';
import type { HostWorld } from './world.ts';

type One = { readonly pod: PodSide; readonly record: AttachmentRecord };

/** What was begun in pods whose ADD is under way, before they have an address. */
export class Begun {
  readonly #world: HostWorld;
  readonly #all = new Map<string, One>();

  constructor(world: HostWorld) {
    this.#world = world;
  }

  /** `index`: the pod's interface. */
  begin(record: AttachmentRecord, index: number, open: PodSidePort): void {
    const pod = new PodSide(this.#world, record);
    pod.begin(index, open);
    this.#all.set(attachmentText(record.key), { pod, record });
  }

  get(attachment: string): One | undefined {
    return this.#all.get(attachment);
  }

  /** The ADD is over. What was begun is taken back, unless it is `kept`. */
  ended(attachment: string, kept: PodSide | undefined): void {
    const pod = this.#all.get(attachment)?.pod;
    this.#all.delete(attachment);
    if (pod !== undefined && kept !== pod) void pod.remove();
  }
}
