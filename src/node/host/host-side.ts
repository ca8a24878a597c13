import type { Cidr } from '../../base/cidr.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import type { Mac } from '../../base/mac.ts';
import { isSysError } from '../../base/sys-error.ts';
import { Admission } from './admission.ts';
import { Attachment } from './attachment.ts';
import { Barriers } from './barriers.ts';
import { Begun } from './begun.ts';
import { confinedOf } from './confine.ts';
import { forgetRecord } from './forget-record.ts';
import { type Asker, holderOnNode } from './holders.ts';
import type { HostStatus } from './host-status.ts';
import { LinkNames } from './link-names.ts';
import { recoverLost } from './lost-attachments.ts';
import { PodChecks, type PodsChecked } from './pod-checks.ts';
import type { HostNotice, PodSidePort } from './ports.ts';
import {
  type AttachmentKey,
  type AttachmentRecord,
  attachmentText,
  HOST_SCHEMA,
  type HostRecord,
} from './record.ts';
import { Repairs } from './repairs.ts';
import { RunningPods } from './running-pods.ts';
import { othersWith } from './same-address.ts';
import { distinct, type ServiceNetworks } from './service-networks.ts';
import { ShimLook } from './shim-look.ts';
import { Sides } from './sides.ts';
import { Sweep } from './sweep.ts';
import { followName, sayMacTaken } from './uplink-changes.ts';
import type { UplinkSide } from './uplink-side.ts';
import type { HostWorld } from './world.ts';

/** What an ADD wants of the node. */
export type AttachRequest = Omit<AttachmentRecord, 'kind' | 'schema' | 'bootId'>;

/**
 * The node's part of every pod on the LAN: a shim on each uplink, routes and neighbours of the pods, their way to the
 * services, and the guard that keeps service traffic off the LAN. What others change of it is put back.
 */
export class HostSide {
  readonly #world: HostWorld;
  readonly #services: ServiceNetworks;
  readonly #repairs = new Repairs();
  readonly #names: LinkNames;
  readonly #barriers: Barriers;
  readonly #sides: Sides;
  readonly #admission: Admission;
  readonly #attachments = new Map<string, Attachment>();
  readonly #begun: Begun;
  /** Those of an earlier run whose turn is in `start`. */
  readonly #resumed: AttachmentRecord[] = [];
  readonly #pods: RunningPods;
  readonly #checks = new PodChecks();
  readonly #sweep: Sweep;

  constructor(world: HostWorld, services: ServiceNetworks) {
    this.#world = world;
    this.#services = services;
    this.#begun = new Begun(world);
    this.#names = new LinkNames(world);
    this.#sides = new Sides(world, this.#names, {
      repairs: this.#repairs,
      renamed: (side) => followName(world, this.#on(side)),
      shimMacChanged: (side, before) => void this.#shimMacChanged(side, before),
      shimReady: async (side, isNew) => {
        await this.#admission.lookOrLater();
        await this.#barriers.ensure(isNew);
        // What the disk did not take when the uplink was renamed.
        await followName(world, this.#on(side));
      },
    });
    this.#admission = new Admission(world, services, {
      names: this.#names,
      uplinks: () => this.#sides.all.flatMap(({ waysOut }) => waysOut),
      podWith: (address, but) => {
        const other = othersWith(this.#attachments.values(), address, but).find(
          ({ record }) => !this.#sweep.isGone(record),
        );
        return other === undefined ? undefined : attachmentText(other.record.key);
      },
      again: (text) => void this.#pods.follow(this.#attachments.get(text)),
    });
    this.#barriers = new Barriers(world, this.#repairs, () => ({
      networks: this.#guarded(),
      uplinks: [...new Set(this.#sides.all.flatMap(({ waysOut }) => waysOut))].toSorted(),
      shims: this.#sides.all.map(({ shimName }) => shimName).toSorted(),
      confined: confinedOf(world.kernel, this.#sides.all),
      lans: distinct(this.#sides.all.flatMap(({ networks }) => networks)),
    }));
    this.#sweep = new Sweep(world, {
      attachments: () => [...this.records],
      detach: (key) => this.detach(key),
    });
    this.#pods = new RunningPods(world, this.#admission, services, {
      isCurrent: (one) => this.#attachments.get(attachmentText(one.record.key)) === one,
      dropGone: (one) => this.#dropGone(one),
    });
    services.onChange(() => void this.#servicesChanged());
  }

  /** What any pod of this node, or the node itself, takes for a service. */
  #guarded(): readonly Cidr<Ipv4>[] {
    const known = this.#services.all;
    const named = [...this.#attachments.values()].flatMap((one) => one.networks(known));
    return distinct([...known, ...named]).filter((one) => this.#admission.serviceProblem(one) === undefined);
  }

  /** Takes up what an earlier run stored; `start` comes after all of them. */
  resume(record: HostRecord): void {
    if (record.kind === 'uplink') {
      this.#sides.resume(record);
      return;
    }
    if (record.bootId !== this.#world.clock.bootId || this.#sweep.isGone(record))
      void forgetRecord(this.#world, record);
    else this.#resumed.push(record);
  }

  /** Looks at the node and mends it; from then on pods are swept. Never rejects: what fails is tried again. */
  async start(): Promise<void> {
    for (const record of this.#resumed.splice(0)) await this.#takeUp(record);
    await recoverLost(this.#world, {
      isKnown: (text) => this.#attachments.has(text),
      isGone: (record) => this.#sweep.isGone(record),
      takeUp: (record) => this.#takeUp(record),
    });
    // A shim that is there without pods may lead to some that went while no daemon ran.
    const needed = this.#sides.all.filter((side) => this.#on(side).length > 0 || side.wasMade);
    await Promise.all(needed.map((side) => this.#trySide(side)));
    await this.#admission.lookOrLater();
    await this.#barriers.ensure();
    this.#sweep.start();
    void this.#pods.apply([...this.#attachments.values()]);
  }

  /** A pod that runs is never forgotten: where the record of its uplink is lost, that begins anew. */
  async #takeUp(record: AttachmentRecord): Promise<void> {
    const attachment = new Attachment(this.#world, record, await this.#sideFor(record));
    attachment.pod.takeUp();
    this.#attachments.set(attachmentText(record.key), attachment);
    attachment.expect();
  }

  async #trySide(side: UplinkSide): Promise<void> {
    try {
      await side.ensure();
    } catch (error) {
      // The side has said what is wrong, and tries again.
      if (!isSysError(error)) throw error;
    }
  }

  /**
   * Begins with what can be done before the pod has its address, when the caller has asked for that, in its interface of
   * this index. `pod` is closed by `attach`, or after `ended`. Never fails: `attach`, of the same request, does what is missing.
   */
  begin(request: AttachRequest, index: number, pod: PodSidePort): void {
    const isFirst = !this.#attachments.has(attachmentText(request.key));
    this.#begun.begin(this.#recordOf(request), index, pod, isFirst);
    this.#admission.begin();
    if (!request.hostAccess) return;
    void this.#sides.of(request.uplink).then(
      (side) => this.#trySide(side),
      () => undefined,
    );
  }

  /** The ADD is over. Where it came to nothing, what was begun for it is taken back. Never fails. */
  async ended(key: AttachmentKey): Promise<void> {
    const text = attachmentText(key);
    await this.#begun.ended(text, this.#attachments.get(text)?.pod);
  }

  #recordOf(request: AttachRequest): AttachmentRecord {
    return { kind: 'attachment', schema: HOST_SCHEMA, bootId: this.#world.clock.bootId, ...request };
  }

  /**
   * Does the node's part for a pod: all of it is there when this resolves. Rejects with a SysError; then nothing is
   * left of it. A repetition does what is missing.
   */
  async attach(request: AttachRequest): Promise<void> {
    const text = attachmentText(request.key);
    const begun = this.#begun.get(text);
    const record = begun?.record ?? this.#recordOf(request);
    const side = await this.#sideFor(record);
    const attachment = new Attachment(this.#world, record, side, begun?.pod);
    await this.#dropGone(attachment);
    await this.#admission.admit(attachment);
    const before = this.#attachments.get(text);
    this.#attachments.set(text, attachment);
    try {
      if ((await begun?.stored) !== true) await this.#world.store.put(record);
      await side?.ensure();
      await Promise.all([
        attachment.follow(),
        attachment.applyInPod(this.#services.all),
        // Networks that only this pod has named are not on the guard yet.
        typeof record.services === 'string' ? undefined : this.#barriers.ensure(),
      ]);
      if (before !== undefined) await this.#dropOld(before, attachment);
    } catch (error) {
      // A repetition that fails takes nothing from the pod that runs.
      if (before === undefined) await this.detach(request.key);
      else this.#attachments.set(text, before);
      throw error;
    }
  }

  /** A pod that went without a DEL keeps nobody from its address, not even until that is noticed. */
  async #dropGone({ record, addresses }: Attachment): Promise<void> {
    const others = addresses.flatMap((one) => othersWith(this.#attachments.values(), one, record));
    for (const other of others) if (this.#sweep.isGone(other.record)) await this.detach(other.record.key);
  }

  /** What an attachment of the same name had before and this one has not. */
  async #dropOld(before: Attachment, now: Attachment): Promise<void> {
    const isSamePod = before.record.netns.inode === now.record.netns.inode;
    await Promise.all([before.leaveNode(now), isSamePod ? undefined : before.pod.remove()]);
  }

  /** Takes the node's part of a pod away. Never fails: what cannot be removed is in nobody's way. */
  async detach(key: AttachmentKey): Promise<void> {
    const { inPod } = await this.depart(key);
    await inPod;
  }

  /** The same: nothing leads to the pod when this resolves, and what is in the pod goes meanwhile. Never fails. */
  async depart(key: AttachmentKey): Promise<{ readonly inPod: Promise<void> }> {
    const text = attachmentText(key);
    const attachment = this.#attachments.get(text);
    if (attachment === undefined) return { inPod: Promise.resolve() };
    this.#attachments.delete(text);
    this.#admission.forget(text);
    this.#pods.forget(attachment);
    const inPod = attachment.pod.remove().then(() => forgetRecord(this.#world, attachment.record));
    try {
      await attachment.leaveNode();
    } catch (error) {
      if (!isSysError(error)) throw error;
      attachment.side?.look();
      this.#world.log.warn(
        { attachment: text, error: error.message },
        "the node's route to a pod could not be removed",
      );
    }
    return { inPod };
  }

  /** Learns what the node's kernel has: for `holderOf`, before `start`. Never rejects: a look that fails is tried again. */
  learn(): Promise<void> {
    return this.#admission.lookOrLater();
  }

  /** Who of this node has an address, beside pods with leases, by the last look; in words. Undefined: nobody. */
  holderOf(address: Ipv4, asker: Asker): string | undefined {
    const view = {
      lan: this.#admission.lan,
      records: { [Symbol.iterator]: () => this.#everyRecord() },
      begun: this.#begun.get(attachmentText(asker.key))?.record,
      isGone: (record: AttachmentRecord) => this.#sweep.isGone(record),
    };
    return holderOnNode(view, address, asker);
  }

  /** The node's own macvlan on an uplink; undefined where there is none, or it is away. */
  shimOn(uplink: number): { readonly index: number; readonly mac: Mac } | undefined {
    const side = this.#sides.all.find(({ uplinkIndex }) => uplinkIndex === uplink);
    return side?.shimIndex === undefined ? undefined : { index: side.shimIndex, mac: side.shimMac };
  }

  *#everyRecord(): Generator<AttachmentRecord> {
    yield* this.#resumed;
    yield* this.records;
  }

  /** Of all pods, one by one: some are looked for with each message that is sent. */
  get records(): IteratorObject<AttachmentRecord> {
    return this.#attachments.values().map(({ record }) => record);
  }

  has(key: AttachmentKey): boolean {
    return this.#attachments.has(attachmentText(key));
  }

  /** The attachments of one network, or all. */
  attachmentsOf(network?: string): readonly AttachmentRecord[] {
    return [...this.records].filter(({ key }) => network === undefined || key.network === network);
  }

  /** The address of a lease changed, came or went, or its interface was made again. */
  leaseChanged(key: AttachmentKey): void {
    void this.#pods.follow(this.#attachments.get(attachmentText(key)));
  }

  #on(side: UplinkSide): readonly Attachment[] {
    return [...this.#attachments.values()].filter((one) => one.side === side);
  }

  async #shimMacChanged(side: UplinkSide, before: Mac): Promise<void> {
    const pods = this.#on(side);
    sayMacTaken(this.#world, side, pods, before);
    await this.#pods.apply(pods);
  }

  /** The kernel says that something changed on the node. */
  notice(notice: HostNotice): void {
    if (notice.kind === 'rule') {
      this.#barriers.ruleChanged(notice);
      return;
    }
    this.#names.notice(notice);
    for (const side of this.#sides.all) side.notice(notice);
    this.#admission.notice(notice);
    // Somebody may have made the node a router.
    if (notice.kind === 'sysctl') void this.#barriers.ensure();
  }

  /** Notices were lost: everything is looked at. */
  noticesLost(): void {
    this.#names.lost();
    for (const side of this.#sides.all) side.look();
    this.#admission.noticesLost();
    this.#barriers.changed();
  }

  /** Whether a shim has this index: its neighbours are of interest. */
  isShim(index: number): boolean {
    return this.#sides.all.some((side) => side.has(index));
  }

  /** Somebody else touched our nftables tables. */
  guardChanged(): void {
    this.#barriers.tablesChanged();
  }

  async #servicesChanged(): Promise<void> {
    // Away from the LAN first: a pod that learns a network late is only late.
    await this.#barriers.ensure();
    await this.#pods.apply([...this.#attachments.values()]);
  }

  /** All of it anew, as far as others undid it: on the node, and in every pod. Never rejects: what fails is said. */
  async reapply(): Promise<void> {
    this.noticesLost();
    await this.#pods.apply([...this.#attachments.values()], (one) => one.mendInPod(this.#services.all));
  }

  /**
   * What is missing or wrong of what an attachment has, in its pod and on the node; changes nothing. None for one that
   * is not known. Rejects with SysError when the node's own kernel cannot be asked.
   */
  async problemsOf(key: AttachmentKey): Promise<readonly string[]> {
    const attachment = this.#attachments.get(attachmentText(key));
    return (await attachment?.problems(this.#services.all, new ShimLook(this.#world.kernel))) ?? [];
  }

  /** The same of the next `limit` pods, one after another: repeated calls come round to all. Rejects with SysError. */
  checkAll(limit?: number): Promise<PodsChecked> {
    const shims = new ShimLook(this.#world.kernel);
    return this.#checks.run(
      [...this.#attachments.values()],
      {
        isThere: (one) =>
          this.#attachments.get(attachmentText(one.record.key)) === one && !this.#sweep.isGone(one.record),
        problems: (one) => one.problems(this.#services.all, shims),
      },
      limit,
    );
  }

  /** Without host access there is nothing to be made on the node. */
  #sideFor({ hostAccess, uplink }: AttachmentRecord): Promise<UplinkSide | undefined> {
    return hostAccess ? this.#sides.of(uplink) : Promise.resolve(undefined);
  }

  status(): HostStatus {
    return {
      uplinks: this.#sides.all.map((side) => side.status()),
      services: this.#services.all,
      servicesLeftOut: this.#services.leftOut,
      attachments: this.#attachments.size,
      guard: { problem: this.#barriers.problem },
      repairs: this.#repairs.total,
      fights: this.#repairs.fights(this.#world.clock.now()),
    };
  }

  /** Leaves all as it is: pods live on. */
  async close(): Promise<void> {
    this.#pods.close();
    this.#sweep.close();
    this.#admission.close();
    await this.#barriers.close();
    await Promise.all(this.#sides.all.map((side) => side.close()));
  }
}
