import assert from 'node:assert/strict';
import type { Ipv4 } from '../../../src/base/ipv4.ts';
import type { Mac } from '../../../src/base/mac.ts';
import type { ManagedLease } from '../../../src/lease/manager.ts';
import type { Lease4 } from '../../../src/protocol/dhcp4/lease.ts';
import { leaseOf } from '../../../src/protocol/dhcp4/state.ts';
import { keyText } from '../../../src/lease/record.ts';
import { readStored } from '../../../src/lease/stored.ts';
import { messageTypeName } from '../../../src/wire/dhcp4/message-type.ts';
import type { Dhcp4Message } from '../../../src/wire/dhcp4/message.ts';
import { readOption } from '../../../src/wire/dhcp4/options.ts';
import type { SimLan } from './lan.ts';
import type { Attachment, SimNode } from './node.ts';
import { assertWithin, Traffic } from './traffic.ts';

/** When a sane server was reachable for so long, every pod has a lease: two of the longest waits, and the exchange. */
export const PATIENCE_MS = 180_000;
/** Probes begin within a second and are answered at once (RFC 5227 1.1); a DECLINE takes the address off at once. */
const PROBED_WITHIN_MS = 8_000;
/** Who insists announces every three seconds: defended once, let go of at the second time. */
const YIELDED_WITHIN_MS = 15_000;
const SECOND_MS = 1000;
const MINUTE_MS = 60_000;
/** Windows and the most that may be sent in them. */
const WINDOWS_MS = [SECOND_MS, 10 * SECOND_MS, MINUTE_MS];

/** How long a DEL may ask for the way to the server, and wait until its RELEASE is sent: 300 and 500 ms. */
const DEL_AGAIN_MS = 800;

export type Bounds = { readonly perLease: readonly number[]; readonly inAll: readonly number[] };

/** Two users of one address. */
type Clash = { readonly since: number; readonly within: number };

/** What must hold at every moment. */
export class Checks {
  readonly #lan: SimLan;
  readonly #node: SimNode;
  readonly #bounds: Bounds;
  readonly #lookEveryMs: number;
  readonly #dirty = new Set<Attachment>();
  readonly #users = new Map<Ipv4, Set<Attachment>>();
  readonly #uses = new Map<Attachment, Ipv4>();
  readonly #clashes = new Map<Attachment, Clash>();
  readonly #perLease = new Map<Mac, Traffic>();
  readonly #lostAt = new WeakMap<Attachment, number>();
  readonly inAll = new Traffic(WINDOWS_MS);
  readonly mostPerLease = WINDOWS_MS.map(() => 0);
  /** REQUESTs of INIT-REBOOT (RFC 2131 4.3.2). */
  initReboots = 0;
  /** Since when nothing is wrong with the network; Infinity while something is. */
  calmSince = 0;
  /** Since when the disk takes everything. */
  storableSince = 0;
  /** Clients of which a server may keep something through no fault of theirs. */
  readonly excused = new Set<Mac>();
  readonly #records = new Map<string, { readonly text: string; readonly lease: Lease4 | undefined }>();
  #lookedAt = 0;

  constructor(lan: SimLan, node: SimNode, bounds: Bounds, lookEveryMs: number) {
    this.#lan = lan;
    this.#node = node;
    this.#bounds = bounds;
    this.#lookEveryMs = lookEveryMs;
  }

  changed(attachment: Attachment): void {
    this.#dirty.add(attachment);
  }

  /** To be called when all that belongs to one moment is done. */
  settled(): void {
    if (this.#node.fault !== undefined) throw this.#node.fault;
    if (this.#node.manager !== undefined && !this.#node.ready) return;
    for (const attachment of this.#dirty) this.#checkPod(attachment);
    this.#dirty.clear();
    const now = this.#lan.time.now();
    if (now - this.#lookedAt < this.#lookEveryMs) return;
    this.#lookedAt = now;
    this.#checkClashes();
    this.#checkEverybody();
  }

  /** Everything is looked at again: after a fault that says nothing of what it changed. */
  lookAtAll(): void {
    for (const attachment of this.#node.attachments.values()) this.#dirty.add(attachment);
    this.#lookedAt = 0;
  }

  #name({ key, wishes, phase }: Attachment): string {
    return `${key.containerId} (${phase}, conflictCheck ${wishes.conflictCheck}) at ${this.#lan.time.now()}`;
  }

  #checkPod(attachment: Attachment): void {
    const { pod, key, phase } = attachment;
    const name = this.#name(attachment);
    assert.ok(pod.addresses.length <= 1, `${name} has one address: ${JSON.stringify(pod.addresses)}`);
    const address = pod.addresses[0]?.address as Ipv4 | undefined;
    this.#noteUse(attachment, address);
    const { manager } = this.#node;
    if (address === undefined || manager === undefined) return;
    const now = this.#lan.time.now();
    // The daemon died between the RELEASE and its record: the DEL is done again, from the address.
    if (phase === 'deleting' && now - this.#node.startedAt <= DEL_AGAIN_MS) return;
    const until = this.#lan.ledger.until(pod.link.mac, address);
    assert.ok(until >= now, `${name} uses ${address}, which was promised until ${until}`);
    const { servers } = attachment.wishes;
    const by = this.#lan.ledger.by(pod.link.mac, address);
    const allowed = by !== undefined && (servers.length === 0 || servers.includes(by));
    assert.ok(allowed, `${name} has ${address} from ${by}, which is not allowed`);
    if (phase !== 'attached') return;
    const held = manager.get(key)?.lease;
    assert.equal(held?.address.address, address, `${name}: what the pod has is what the lease says`);
    assert.ok((held?.times?.expiresAt ?? Infinity) > now, `${name} uses ${address} past its end`);
  }

  #noteUse(attachment: Attachment, address: Ipv4 | undefined): void {
    const before = this.#uses.get(attachment);
    if (before === address) return;
    this.#clashes.delete(attachment);
    if (before !== undefined) {
      const users = this.#users.get(before);
      users?.delete(attachment);
      if (users?.size === 0) this.#users.delete(before);
      this.#uses.delete(attachment);
    }
    if (address === undefined) {
      this.#lostAt.set(attachment, this.#lan.time.now());
      return;
    }
    this.#uses.set(attachment, address);
    const users = this.#users.get(address) ?? new Set();
    this.#users.set(address, users.add(attachment));
    // Only a server that forgot whom it gave the address to can be the reason; who looks for it finds it.
    if (users.size > 1 || this.#lan.squatters.has(address)) this.#clash(attachment, PROBED_WITHIN_MS);
  }

  #clash(attachment: Attachment, within: number): void {
    const { conflictCheck } = attachment.wishes;
    if (conflictCheck === 'off') return;
    this.#clashes.set(attachment, { since: this.#lan.time.now(), within });
    this.#lan.time.after(within, () => this.#checkClash(attachment));
  }

  /** A host took the address of a pod, and insists. */
  squatted(address: Ipv4): void {
    for (const user of this.#users.get(address) ?? []) this.#clash(user, YIELDED_WITHIN_MS);
  }

  #checkClashes(): void {
    for (const attachment of this.#clashes.keys()) this.#checkClash(attachment);
  }

  #checkClash(attachment: Attachment): void {
    const clash = this.#clashes.get(attachment);
    if (clash === undefined || attachment.phase === 'gone') return;
    const { since, within } = clash;
    const now = this.#lan.time.now();
    // Lost probes find nobody, and a daemon that was started meanwhile does not probe again.
    const excused =
      this.calmSince > since || this.#node.startedAt > since || this.#node.manager === undefined;
    const address = this.#uses.get(attachment);
    const shared =
      address !== undefined &&
      ((this.#users.get(address)?.size ?? 0) > 1 || this.#lan.squatters.has(address));
    if (excused || !shared) this.#clashes.delete(attachment);
    else
      assert.ok(now - since < within, `${this.#name(attachment)}: ${address} has two users since ${since}`);
  }

  #checkEverybody(): void {
    const now = this.#lan.time.now();
    const { manager, ready, disk } = this.#node;
    if (manager === undefined || !ready) return;
    for (const attachment of this.#node.attachments.values()) {
      this.#checkPod(attachment);
      // A server that forgot or changed its pool refuses at the next renewal, long after it did so.
      const lostAt = this.#lostAt.get(attachment) ?? 0;
      const from = Math.max(this.calmSince, attachment.since, this.#node.startedAt, lostAt);
      if (attachment.phase === 'gone' || now - from < PATIENCE_MS) continue;
      const name = this.#name(attachment);
      assert.equal(
        attachment.phase,
        'attached',
        `${name}: since ${attachment.since}, no ADD or DEL takes so long`,
      );
      const lease: ManagedLease | undefined = manager.get(attachment.key);
      const address: Ipv4 | undefined = lease?.lease?.address.address;
      assert.ok(address !== undefined, `${name} has a lease: ${JSON.stringify(lease?.record.state)}`);
      assert.ok(attachment.pod.has(address), `${name} has its address ${address}`);
      if (now - this.storableSince < PATIENCE_MS) continue;
      const said = this.#readRecord(keyText(attachment.key), disk.files, name);
      assert.equal(said?.address.address, address, `${name}: the record says what the pod has`);
      assert.equal(
        said?.times?.expiresAt,
        lease?.lease?.times?.expiresAt,
        `${name}: the record knows the end`,
      );
    }
  }

  /** The lease that is on disk. Reading costs most of the run, so that what was read before is not read again. */
  #readRecord(file: string, files: ReadonlyMap<string, string>, name: string): Lease4 | undefined {
    const text = files.get(file) ?? '';
    const known = this.#records.get(file);
    if (known?.text === text) return known.lease;
    const stored = readStored(file, text, (key) => key);
    assert.ok(stored.ok, `${name} has a record: ${stored.ok ? '' : stored.error}`);
    const lease = leaseOf(stored.value.state);
    this.#records.set(file, { text, lease });
    return lease;
  }

  /** A client's message leaves the node. Says what is wrong later: a fault that is thrown here is taken for the kernel's. */
  sent(message: Dhcp4Message): void {
    try {
      this.#checkSent(message);
    } catch (error) {
      this.#node.fault ??= error;
    }
  }

  #checkSent(message: Dhcp4Message): void {
    const attachment = this.#node.attachments.get(message.chaddr);
    assert.ok(attachment !== undefined, `${message.chaddr} is a pod's`);
    const type = readOption(message.options, 'dhcp-message-type');
    const what = type.kind === 'value' ? messageTypeName(type.value) : 'nothing';
    const held = this.#node.manager?.get(attachment.key);
    if (what === 'DHCPRELEASE') {
      // An answer that is not accepted is given back by a pod that runs.
      const inUse = attachment.phase === 'attached' && held?.lease?.address.address === message.ciaddr;
      assert.ok(!inUse, `${this.#name(attachment)}: a lease in use is released`);
    } else {
      assert.ok(held !== undefined, `${this.#name(attachment)}: ${what} after the release`);
    }
    const isBound = readOption(message.options, 'dhcp-requested-address').kind === 'absent';
    const isChosen = readOption(message.options, 'dhcp-server-identifier').kind !== 'absent';
    if (what === 'DHCPREQUEST' && !isBound && !isChosen) this.initReboots += 1;
    const now = this.#lan.time.now();
    const traffic = this.#perLease.get(message.chaddr) ?? new Traffic(WINDOWS_MS);
    this.#perLease.set(message.chaddr, traffic);
    const counts = traffic.add(now);
    counts.forEach((count, i) => (this.mostPerLease[i] = Math.max(this.mostPerLease[i] ?? 0, count)));
    assertWithin(counts, this.#bounds.perLease, this.#name(attachment));
    assertWithin(this.inAll.add(now), this.#bounds.inAll, `all at ${now}`);
  }

  /** When a promise ends, its address is gone. */
  promised(client: Mac, until: number): void {
    if (until === Infinity) return;
    this.#lan.time.after(until - this.#lan.time.now() + 1, () => {
      const attachment = this.#node.attachments.get(client);
      if (attachment !== undefined) this.#dirty.add(attachment);
    });
  }

  forget(attachment: Attachment): void {
    this.#perLease.delete(attachment.pod.link.mac);
    this.#lan.ledger.forget(attachment.pod.link.mac);
    this.#records.delete(keyText(attachment.key));
  }
}
