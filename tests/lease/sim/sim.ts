import assert from 'node:assert/strict';
import { ipv4 } from '../../../src/base/ipv4.ts';
import { leaseOf } from '../../../src/protocol/dhcp4/state.ts';
import type { SysError } from '../../../src/base/sys-error.ts';
import type { Bounds } from './checks.ts';
import { Checks } from './checks.ts';
import type { SimServer } from './dhcp-server.ts';
import { SimLan } from './lan.ts';
import { type Attachment, SimNode } from './node.ts';
import { Random } from './random.ts';
import { SimTime } from './time.ts';

const SECOND_MS = 1000;
export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
export const POOL = { first: ipv4('192.168.1.1'), size: 1000 };
export const OTHER_POOL = { first: ipv4('192.168.40.1'), size: 1000 };
/** In a second, in ten, in a minute. One lease: a lease of one second is renewed twice a second, and a link that flaps
 * causes a try at each change. All together: 50 leases a second begin (PACE of lease/keeper.ts), each with up to eight messages.
 */
/**
 * Of one lease: one of a second, lost and had again all the time on a network that loses packets, is the worst (docs/limits.md
 * allows 10 a second; nine came of a lease of no length, between two servers that refuse each other's). In all:
 * fifty leases begin in a second, each with its resends, while those of the seconds before still resend.
 */
export const BOUNDS: Bounds = { perLease: [10, 60, 300], inAll: [600, 4000, 24_000] };

export type SimOptions = {
  readonly seed: number;
  readonly bounds?: Bounds;
  readonly lookEveryMs?: number;
  /** Whether the server looks for users of an address before it offers it. */
  readonly asksFirst?: boolean;
};

/** A LAN with one server, a node on it, and the checks of what must always hold. */
export class Sim {
  readonly random: Random;
  readonly time = new SimTime();
  readonly lan: SimLan;
  readonly node: SimNode;
  readonly checks: Checks;
  readonly server: SimServer;

  constructor({ seed, bounds = BOUNDS, lookEveryMs = MINUTE_MS, asksFirst = true }: SimOptions) {
    this.random = new Random(seed);
    this.lan = new SimLan(this.time, this.random, {
      sent: (message) => this.checks.sent(message),
      promised: (client, until) => this.checks.promised(client, until),
      excused: (client) => void this.checks.excused.add(client),
    });
    this.node = new SimNode(this.lan, {
      changed: (attachment) => this.checks.changed(attachment),
      excused: (client) => void this.checks.excused.add(client),
    });
    this.checks = new Checks(this.lan, this.node, bounds, lookEveryMs);
    this.server = this.lan.addServer(ipv4('192.168.0.1'), POOL, asksFirst);
  }

  async run(ms: number): Promise<void> {
    await this.time.run(ms, () => this.checks.settled());
  }

  /** From now on nothing is wrong with the network. */
  calm(): void {
    this.checks.calmSince = this.time.now();
  }

  /** Something is wrong with it until `calm`. */
  disturb(): void {
    this.checks.calmSince = Infinity;
  }

  /** The disk takes nothing from now on; undefined: it does again. */
  storeFails(error: SysError | undefined): void {
    this.node.disk.error = error;
    this.checks.storableSince = error === undefined ? this.time.now() : Infinity;
  }

  /** A fault of a pod's own. */
  touch(attachment: Attachment): void {
    attachment.since = this.time.now();
    this.checks.changed(attachment);
  }

  async addPods(count: number, wishes: Partial<Attachment['wishes']> = {}): Promise<readonly Attachment[]> {
    const before = this.node.attachments.size;
    for (let i = 0; i < count; i++) {
      this.node.add({ conflictCheck: 'off', servers: [], ...wishes });
      await this.run(20);
    }
    await this.run(10_000);
    return [...this.node.attachments.values()].slice(before);
  }

  async start(): Promise<void> {
    await this.node.start();
    this.checks.lookAtAll();
  }

  /** The daemon is stopped or killed, is away for a time, and starts again. */
  async restart(how: 'stop' | 'kill', awayMs: number): Promise<void> {
    if (how === 'stop') await this.node.stop();
    else this.node.kill();
    await this.run(awayMs);
    await this.start();
  }

  /** All pods go; in the end nobody holds anything. */
  async finish(): Promise<void> {
    for (const attachment of this.node.attachments.values()) {
      if (attachment.phase === 'adding' || attachment.phase === 'attached') this.node.delete(attachment);
    }
    await this.run(30 * MINUTE_MS);
    const { manager, disk } = this.node;
    const late = manager?.debts() ?? [];
    const servers = late.flatMap(({ record }) => leaseOf(record.state)?.serverId ?? []);
    const there = servers.filter((server) => this.lan.hostOf(server) !== undefined);
    assert.deepEqual(there, [], 'what is owed to a server that is there is settled');
    // To one that is gone it stays owed until the lease ends, which may be of another server's length.
    const last = Math.max(...late.map(({ until }) => until)) - this.time.now();
    if (last > 0) await this.run(last + SECOND_MS);
    assert.deepEqual(
      { leases: manager?.size, owed: manager?.owed, files: [...disk.files.keys()] },
      { leases: 0, owed: 0, files: [] },
    );
    const held = this.server.held.filter(({ client }) => !this.checks.excused.has(client));
    assert.deepEqual(held, [], 'the server holds nothing for clients that could have given it back');
    const left = [...this.lan.pods.values()].filter(
      (pod) => pod.sockets.size + pod.arpPorts.size + pod.openHandles > 0,
    );
    assert.deepEqual(left, [], 'no pod is left open');
  }
}
