import assert from 'node:assert/strict';
import { IPV4_ANY } from '../../../src/base/ipv4.ts';
import type { JsonObject } from '../../../src/base/json.ts';
import { nowSeconds, type DhcpServer } from '../../../src/lab/server.ts';
import { waitFor } from '../../../src/lab/wait.ts';
import type { Pod } from '../../../src/lab/pods.ts';
import { ARP_REQUEST } from '../../../src/wire/arp.ts';
import { addressesOf } from '../../plugins/support/kernel-view.ts';
import type { Site } from '../../plugins/support/site.ts';
import type { Capture } from './capture.ts';
import { assertNothingElse, WAY, waysOf, type Exchange } from './dhcp-on-the-wire.ts';
import { daemonLog } from './fault-site.ts';
import { dropUnicastRequests, type Undo } from './wire-faults.ts';

/** For a lease that is renewed beyond its end, beside others, on a machine that does other things too. */
const WAIT = { deadlineMs: 60_000, everyMs: 100 };

export type ShortLivedParts = {
  readonly site: Site;
  readonly pod: Pod;
  readonly exchange: Exchange;
  /** Whose lease it is. */
  readonly server: DhcpServer;
  /** Where its frames pass. */
  readonly captures: readonly Capture[];
  /** Seconds that its first lease lasts at most, as the pod has heard it. */
  readonly seconds: number;
  readonly del: () => Promise<void>;
};

/** RFC 5227 1.1. */
const PROBE_NUM = 3;
const ANNOUNCE_NUM = 2;

/** When a lease ends, Unix time in seconds: as the server has it in its file, and as the daemon has heard it. */
type Ends = { readonly atServer: number; readonly atPod: number };

/** A pod that has a lease of seconds. */
export class ShortLived {
  readonly pod: Pod;
  readonly exchange: Exchange;
  readonly #parts: ShortLivedParts;
  #first: Ends | undefined;
  #undo: Undo | undefined;

  private constructor(parts: ShortLivedParts, first: Ends | undefined) {
    this.pod = parts.pod;
    this.exchange = parts.exchange;
    this.#parts = parts;
    this.#first = first;
  }

  static async of(parts: ShortLivedParts): Promise<ShortLived> {
    return new ShortLived(parts, await endsOf(parts));
  }

  /**
   * Waits until the lease has been extended when the one of the ADD would have been over: by the server's own file, and by
   * what the daemon has heard of it. It must not have been lost in between.
   */
  async outlive(): Promise<void> {
    const { server, seconds } = this.#parts;
    const first = this.#first;
    assert.ok(first !== undefined, `${server.kind} had given ${this.exchange.client} a lease`);
    await waitFor(
      `${server.kind} to extend the lease beyond its first end, and the pod to hear of it`,
      async () => {
        const now = await endsOf(this.#parts);
        return (
          now !== undefined && now.atServer > first.atServer + seconds && now.atPod > first.atPod + seconds
        );
      },
      { ...WAIT, describe: async () => await this.#lastWords() },
    );
    const lost = (await this.#log()).filter((line) => line.includes('the lease is lost'));
    assert.deepEqual(lost, []);
  }

  async hasAddress(): Promise<boolean> {
    return (await addressesOf(this.pod.namespace)).includes(`${this.exchange.address}/24`);
  }

  /** The check of its address (RFC 5227) is over: it says nothing more by ARP without a reason. */
  async untilChecked(): Promise<void> {
    const { client, address } = this.exchange;
    const [wire] = this.#parts.captures;
    const isOver = async (): Promise<boolean> => {
      const asked = ((await wire?.frames()) ?? []).flatMap((frame) =>
        frame.kind === 'arp' &&
        frame.op === ARP_REQUEST &&
        frame.senderMac === client &&
        frame.targetIp === address
          ? [frame.senderIp]
          : [],
      );
      const probes = asked.filter((sender) => sender === IPV4_ANY).length;
      const announcements = asked.filter((sender) => sender === address).length;
      return probes >= PROBE_NUM && announcements >= ANNOUNCE_NUM;
    };
    await waitFor('the probes and the announcements', isOver, WAIT);
  }

  /**
   * The server's machine no longer knows at which MAC address the pod is, as after a minute in which they did not speak:
   * it asks by ARP before it sends something there. `outlive` counts from now on.
   */
  async forgetAtServer(): Promise<void> {
    const { router } = this.#parts.site.lan;
    await router.ip('neigh', 'flush', 'to', this.exchange.address);
    this.#first = await endsOf(this.#parts);
  }

  /** What the daemon says of the lease: `bound`, `renewing`. */
  async untilState(state: string): Promise<void> {
    await waitFor(
      `the lease to be ${state}`,
      async () => (await viewOf(this.#parts))?.['state'] === state,
      WAIT,
    );
  }

  /**
   * From now on what it sends to the server alone is lost at the router's port: its lease is extended by broadcast alone,
   * from T2 on. `end` puts it right.
   */
  async loseUnicast(): Promise<void> {
    const { router, node } = this.#parts.site.lan;
    this.#undo = await dropUnicastRequests(router, node.port, this.exchange.client);
  }

  /** The ways that its messages took so far, by each capture; one that RFC 2131 does not have is an AssertionError. */
  async ways(): Promise<ReadonlySet<string>> {
    const seen = await Promise.all(
      this.#parts.captures.map(async (wire) => {
        const frames = await wire.frames();
        assertNothingElse(frames, this.exchange.client);
        return waysOf(frames, this.exchange);
      }),
    );
    return seen.reduce((all, ways) => all.intersection(ways));
  }

  /** DEL: the pod itself gives the lease back. Gives the ways of all that was sent. */
  async end(): Promise<ReadonlySet<string>> {
    await this.#undo?.();
    await this.#parts.del();
    await waitFor(
      'the lease to be gone from the server',
      async () => (await endsOf(this.#parts)) === undefined,
      WAIT,
    );
    return await this.untilWay(WAY.release);
  }

  /** The ways of all that was sent, once this one is among them. */
  async untilWay(way: string): Promise<ReadonlySet<string>> {
    const isSeen = async (): Promise<ReadonlySet<string> | false> => {
      const ways = await this.ways();
      return ways.has(way) && ways;
    };
    return await waitFor(`to capture a ${way}`, isSeen, WAIT);
  }

  async #lastWords(): Promise<string> {
    const view = await viewOf(this.#parts);
    const ends = await endsOf(this.#parts);
    return [JSON.stringify({ ...view, first: this.#first, ends }), ...(await this.#log()).slice(-6)].join(
      '\n',
    );
  }

  /** What the daemon says of it. */
  async #log(): Promise<readonly string[]> {
    const { containerId } = this.pod.attachment;
    return (await daemonLog(this.#parts.site)).split('\n').filter((line) => line.includes(containerId));
  }
}

async function viewOf({ site, pod }: ShortLivedParts): Promise<JsonObject | undefined> {
  const views = await site.daemonLeases();
  return views.find(({ containerId }) => containerId === pod.attachment.containerId);
}

/** Undefined where one of them has no lease. */
async function endsOf(parts: ShortLivedParts): Promise<Ends | undefined> {
  const atServer = (await parts.server.leases()).find(({ mac }) => mac === parts.exchange.client)?.expiresAt;
  const left = (await viewOf(parts))?.['expiresInSeconds'];
  if (atServer === undefined || typeof left !== 'number') return undefined;
  return { atServer, atPod: nowSeconds() + left };
}
