import assert from 'node:assert/strict';
import { type Duration, instant, type Instant } from '../../../src/base/time.ts';
import type { AnswerTaker, KubeWorld } from '../../../src/kube/ports.ts';

/** One GET that a machine has sent, to be answered by the test. */
export type Asked = {
  readonly path: string;
  readonly at: Instant;
  readonly cancelled: () => boolean;
  readonly head: (status: number, retryAfter?: Duration) => void;
  readonly text: (text: string) => void;
  readonly bytes: (bytes: Uint8Array) => void;
  readonly end: (why?: string) => void;
  /** The whole of an answer. */
  readonly json: (body: unknown, status?: number) => void;
};

export class SimWorld implements KubeWorld {
  #now = 0;
  #timers: { readonly at: Instant; readonly callback: () => void }[] = [];
  readonly asked: Asked[] = [];
  chance = 0;

  readonly clock = { now: () => instant(this.#now) };
  readonly random = (): number => this.chance;
  readonly timers = {
    at: (at: Instant, callback: () => void): (() => void) => {
      const timer = { at, callback };
      this.#timers.push(timer);
      return () => void (this.#timers = this.#timers.filter((one) => one !== timer));
    },
  };

  readonly open = (path: string, taker: AnswerTaker): (() => void) => {
    let over = false;
    const unlessOver = (act: () => void): void => {
      assert.ok(!over, `${path} is over`);
      act();
    };
    const asked: Asked = {
      path,
      at: instant(this.#now),
      cancelled: () => over,
      head: (status, retryAfter) => unlessOver(() => taker.head(status, retryAfter)),
      text: (text) => unlessOver(() => taker.data(new TextEncoder().encode(text))),
      bytes: (bytes) => unlessOver(() => taker.data(bytes)),
      end: (why) =>
        unlessOver(() => {
          over = true;
          taker.ended(why);
        }),
      json: (body, status = 200) => {
        asked.head(status);
        if (over) return;
        asked.text(JSON.stringify(body));
        if (!over) asked.end();
      },
    };
    this.asked.push(asked);
    return () => {
      over = true;
    };
  };

  get now(): number {
    return this.#now;
  }

  get pending(): number {
    return this.#timers.length;
  }

  /** The newest GET, which must be the nth. */
  last(nth: number): Asked {
    assert.equal(this.asked.length, nth, this.asked.map(({ path }) => path).join('\n'));
    const asked = this.asked.at(-1);
    assert.ok(asked !== undefined);
    return asked;
  }

  /** Lets time pass, and calls what falls due in its order. */
  pass(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const [first] = this.#timers.toSorted((a, b) => a.at - b.at);
      if (first === undefined || first.at > end) break;
      this.#timers = this.#timers.filter((one) => one !== first);
      this.#now = Math.max(this.#now, first.at);
      first.callback();
    }
    this.#now = end;
  }
}

export const NETWORKING = 'networking.k8s.io/v1';

export type CidrObject = Readonly<Record<string, unknown>>;

/** A ServiceCIDR as kube-apiserver shows it. */
export function serviceCidr(
  name: string,
  cidrs: readonly string[],
  more: { readonly version?: string; readonly ready?: string; readonly leaving?: boolean } = {},
): CidrObject {
  const { version = '1', ready = 'True', leaving = false } = more;
  return {
    apiVersion: NETWORKING,
    kind: 'ServiceCIDR',
    metadata: {
      name,
      uid: 'a7',
      resourceVersion: version,
      ...(leaving ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
    },
    spec: { cidrs },
    status: ready === '' ? {} : { conditions: [{ type: 'Ready', status: ready, reason: '' }] },
  };
}

export function listOf(items: readonly unknown[], version = '10', more: object = {}): object {
  return {
    apiVersion: NETWORKING,
    kind: 'ServiceCIDRList',
    metadata: { resourceVersion: version, ...more },
    items,
  };
}

export function event(type: string, object: unknown): string {
  return `${JSON.stringify({ type, object })}\n`;
}

export function bookmark(version: string): string {
  const metadata = { resourceVersion: version, creationTimestamp: null };
  return event('BOOKMARK', { apiVersion: NETWORKING, kind: 'ServiceCIDR', metadata, spec: {}, status: {} });
}
