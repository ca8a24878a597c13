import assert from 'node:assert/strict';
import type { Ipv4 } from '../../../src/base/ipv4.ts';
import { type Mac, mac } from '../../../src/base/mac.ts';
import { seconds } from '../../../src/base/time.ts';
import { LeaseManager } from '../../../src/lease/manager.ts';
import type { AcquireRequest } from '../../../src/lease/request.ts';
import { type ConflictCheck, keyText, type LeaseKey } from '../../../src/lease/record.ts';
import { readStored } from '../../../src/lease/stored.ts';
import { type SimLan, SimPod, UPLINK } from './lan.ts';
import { Life, SimDisk } from './life.ts';

const DEFAULTS = { deadline: seconds(60), carrierWait: seconds(10) };
/** How long a runtime waits until it tries a pod again whose ADD failed. */
const RETRY_MS = 15_000;
const FIRST_INODE = 4_026_531_840;

export type Wishes = {
  readonly conflictCheck: ConflictCheck;
  readonly servers: readonly Ipv4[];
  /** The identity stays when the pod is made again. */
  readonly identity: string;
};

/** One attachment of one pod, as the runtime sees it. */
export type Attachment = {
  readonly key: LeaseKey;
  readonly pod: SimPod;
  readonly wishes: Wishes;
  phase: 'adding' | 'attached' | 'deleting' | 'gone';
  /** When the phase, or anything that a fault did to it, began. */
  since: number;
};

export type NodeEvents = {
  readonly changed: (attachment: Attachment) => void;
  /** What a server gave to this client was lost with the daemon before it was stored. */
  readonly excused: (client: Mac) => void;
};

/** The node: runtime, daemon, disk. */
export class SimNode {
  readonly lan: SimLan;
  readonly disk = new SimDisk();
  readonly attachments = new Map<Mac, Attachment>();
  readonly counts = new Map<string, number>();
  readonly #spool: Attachment[] = [];
  readonly #events: NodeEvents;
  bootId = 'boot-1';
  manager: LeaseManager | undefined;
  /** All stored leases are taken up. */
  ready = false;
  startedAt = 0;
  /** Whether the next daemon looks at its pods every 20 s: most of a long run's time goes there. */
  looksAfterPods = true;
  /** What went wrong in the background. */
  fault: unknown;
  #life: Life | undefined;
  #number = 0;

  constructor(lan: SimLan, events: NodeEvents) {
    this.lan = lan;
    this.#events = events;
  }

  #count(event: string): void {
    this.counts.set(event, (this.counts.get(event) ?? 0) + 1);
  }

  /** The daemon starts, and takes up what is on disk. */
  async start(): Promise<void> {
    assert.equal(this.manager, undefined, 'one daemon at a time');
    const life = new Life(this.lan, this.disk, (event) => this.#count(event), this.bootId);
    const manager = new LeaseManager(life, DEFAULTS);
    this.#life = life;
    this.manager = manager;
    this.ready = false;
    this.startedAt = this.lan.time.now();
    for (const [name, text] of Array.from(this.disk.files)) {
      const record = readStored(name, text, (key) => key);
      assert.ok(record.ok, record.ok ? '' : `${name} cannot be read: ${record.error}`);
      await manager.resume(record.value);
      if (!life.alive) return;
    }
    if (this.looksAfterPods) manager.watch();
    else manager.settleDebts();
    this.ready = true;
    for (const attachment of this.#spool.splice(0)) this.#background(() => this.#delete(attachment));
  }

  /** SIGTERM. */
  async stop(): Promise<void> {
    const { manager } = this;
    const life = this.#life;
    if (manager === undefined || life === undefined) return;
    this.ready = false;
    await manager.close();
    this.kill();
  }

  /** SIGKILL. Requests under way get no answer: the runtime gives up those pods with a DEL, which is spooled. */
  kill(): void {
    this.#life?.kill();
    this.#life = undefined;
    this.manager = undefined;
    this.ready = false;
    for (const attachment of this.attachments.values()) {
      if (attachment.phase === 'adding' && !this.disk.files.has(keyText(attachment.key))) {
        this.#events.excused(attachment.pod.link.mac);
      }
      if (attachment.phase === 'adding' || attachment.phase === 'deleting') this.#spoolDelete(attachment);
    }
  }

  #spoolDelete(attachment: Attachment): void {
    this.#enter(attachment, 'deleting');
    if (!this.#spool.includes(attachment)) this.#spool.push(attachment);
  }

  #enter(attachment: Attachment, phase: Attachment['phase']): void {
    attachment.phase = phase;
    attachment.since = this.lan.time.now();
  }

  #background(work: () => Promise<void>): void {
    work().catch((error: unknown) => {
      this.fault ??= error;
    });
  }

  /** A new pod; `path`: of a namespace that was there before. */
  add(wishes: Omit<Wishes, 'identity'> & { readonly identity?: string }, path?: string): Attachment {
    const number = ++this.#number;
    const hex = number.toString(16).padStart(6, '0');
    const address = mac(`02:00:5e:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4)}`);
    const netns = path ?? `/run/netns/pod-${number}`;
    const pod = new SimPod(netns, String(FIRST_INODE + number), 10 + number, address);
    pod.link.lowerUp = this.lan.uplink.lowerUp;
    this.lan.pods.set(netns, pod);
    const key = { containerId: `pod-${number}`, network: 'lan', ifname: 'eth0' };
    const attachment: Attachment = {
      key,
      pod,
      wishes: { ...wishes, identity: wishes.identity ?? key.containerId },
      phase: 'adding',
      since: this.lan.time.now(),
    };
    pod.onChange = () => this.#events.changed(attachment);
    this.attachments.set(address, attachment);
    this.#background(() => this.#attach(attachment));
    return attachment;
  }

  async #attach(attachment: Attachment): Promise<void> {
    const { manager } = this;
    const life = this.#life;
    if (manager === undefined || life === undefined || !this.ready) {
      this.#spoolDelete(attachment);
      return;
    }
    const request = this.#request(attachment, life);
    const acquired = await manager.acquire(request, new AbortController().signal);
    if (!life.alive || attachment.phase !== 'adding') return;
    if (!acquired.ok || acquired.value === undefined) {
      request.pod.close();
      this.#count('add-failed');
      // The runtime removes the sandbox and makes another one.
      this.#remove(attachment);
      const { wishes } = attachment;
      this.lan.time.after(RETRY_MS, () => void this.add(wishes));
      return;
    }
    const routes = acquired.value.routes.map(({ dst, router }) => ({ dst, gateway: router }));
    // This is the caller's part, and the lease may be lost in this very moment; so it looks again.
    await request.pod.configure(request.link.index, { addresses: [acquired.value.address], routes });
    request.pod.close();
    if (life.alive) this.#enter(attachment, 'attached');
  }

  #request({ key, pod, wishes }: Attachment, life: Life): AcquireRequest {
    return {
      key,
      netnsPath: pod.path,
      pod: life.openPod(pod.path),
      link: { ...pod.link },
      owned: true,
      uplinkIndex: UPLINK,
      lan: { index: UPLINK, name: this.lan.uplink.name },
      apply: { metric: undefined, routes: 'all', table: undefined, mtu: true },
      conflictCheck: wishes.conflictCheck,
      client: {
        clientId: Buffer.from(`\0${wishes.identity}`).toString('hex'),
        requestedAddress: undefined,
        parameterRequest: [1, 3, 6],
        send: {},
        servers: wishes.servers,
        relays: [],
        ipv6Only: false,
        rapidCommit: false,
        broadcast: 'auto',
      },
    };
  }

  /** DEL. */
  delete(attachment: Attachment): void {
    this.#enter(attachment, 'deleting');
    if (this.ready) this.#background(() => this.#delete(attachment));
    else this.#spoolDelete(attachment);
  }

  async #delete(attachment: Attachment): Promise<void> {
    const life = this.#life;
    if (this.manager === undefined || !this.ready) {
      this.#spoolDelete(attachment);
      return;
    }
    await this.manager.release(attachment.key, true);
    if (life?.alive === true) this.#remove(attachment);
  }

  /** The pod and its interface are no more. */
  #remove(attachment: Attachment): void {
    const { pod } = attachment;
    pod.linkGone = true;
    pod.addresses = [];
    if (this.lan.pods.get(pod.path) === pod) this.lan.pods.delete(pod.path);
    this.#enter(attachment, 'gone');
    this.#events.changed(attachment);
  }

  /** Gone without a DEL. */
  vanish(attachment: Attachment): void {
    this.#remove(attachment);
  }

  /** Gone without a DEL, and another pod has its path. */
  replace(attachment: Attachment): Attachment {
    this.#remove(attachment);
    return this.add({ ...attachment.wishes, identity: keyText(attachment.key) }, attachment.pod.path);
  }

  /** What has no place any more: a pod that is gone and of which nothing is left to be said. */
  forgetGone(isForgotten: (attachment: Attachment) => boolean): void {
    for (const [address, attachment] of this.attachments) {
      if (attachment.phase === 'gone' && isForgotten(attachment)) this.attachments.delete(address);
    }
  }

  carrier(lowerUp: boolean): void {
    const { uplink, pods } = this.lan;
    uplink.lowerUp = lowerUp;
    for (const { link } of pods.values()) link.lowerUp = lowerUp;
    this.manager?.linkChanged({ index: UPLINK, name: 'uplink0', up: true, lowerUp, removed: false });
  }

  /** All pods of this kind, in the order in which they were made. */
  in(phase: Attachment['phase']): readonly Attachment[] {
    return [...this.attachments.values()].filter((attachment) => attachment.phase === phase);
  }
}
