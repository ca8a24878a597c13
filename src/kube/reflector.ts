import { parseJson } from '../base/json.ts';
import { between, type Duration, instant, type Instant, later, millis, seconds } from '../base/time.ts';
import { backoff } from './backoff.ts';
import { Lines } from './lines.ts';
import type { KubeWorld } from './ports.ts';
import { readEvent, readList, readObject, readStatus } from './shapes.ts';
import { type ApiFailure, askWhole } from './whole-answer.ts';

/** A cluster has one object or a few of what is watched here; more are no answer. */
const MOST_OBJECTS = 256;
/** What is watched here has a few hundred bytes, with all that people and controllers write on it a few thousand. */
const MOST_LINE_BYTES = 1 << 20;
/** What one watch may carry before it is begun anew. */
const MOST_WATCH_BYTES = 16 << 20;
/** The server ends a watch after this long (`timeoutSeconds`), and by chance up to a quarter later. */
const WATCH_SECONDS = 240;
/** A connection that died without a word is given up so long after its server should have ended it. */
const WATCH_GRACE = seconds(15);
/** kube-apiserver sends the head of a watch at once; several addresses may have to be tried. */
const HEAD_PATIENCE = seconds(15);
/** A watch that ends sooner has failed, whatever it said: else a server could have us ask in a circle. */
const SHORTEST_WATCH = seconds(5);
/** What changes more often is handed on once. */
const HANDED_EVERY = seconds(1);
/** The longest that a server may send us away (Retry-After). */
const LONGEST_RETRY = seconds(300);

const OK = 200;
const GONE = 410;

export type ReflectorParts<T> = {
  readonly world: KubeWorld;
  /** Of the collection: "/apis/networking.k8s.io/v1/servicecidrs". */
  readonly path: string;
  /** Which of the collection: "fieldSelector=metadata.name%3Dleasehold". */
  readonly only?: string;
  readonly apiVersion: string;
  /** Of one object: "ServiceCIDR". */
  readonly kind: string;
  /** Undefined: that is no such object. */
  readonly read: (object: unknown) => (T & { readonly name: string }) | undefined;
  /** All that there are, after the first list and after each change; never more than once a second. */
  readonly taken: (all: readonly T[]) => void;
  /** What was taken last stays true as far as anybody knows; it is tried again by itself. */
  readonly failed: (failure: ApiFailure) => void;
};

type Failure = Pick<ApiFailure, 'why'> & Partial<ApiFailure>;

/**
 * Follows a small collection of objects: a list, then watches from its resource version on (API concepts,
 * "Efficient detection of changes"). A bookmark moves that version; 410 (Gone) is answered by a new list; a connection that
 * is lost goes on from the last whole line.
 */
export class Reflector<T> {
  readonly #parts: ReflectorParts<T>;
  #objects = new Map<string, T>();
  /** Undefined: a list comes next. */
  #version: string | undefined;
  #failures = 0;
  #stop: () => void = () => undefined;
  #cancelHanding: (() => void) | undefined;
  #handedAt: Instant = instant(Number.NEGATIVE_INFINITY);
  #closed = false;

  constructor(parts: ReflectorParts<T>) {
    this.#parts = parts;
  }

  start(): void {
    if (this.#version === undefined) this.#list();
    else this.#watch(this.#version);
  }

  close(): void {
    this.#closed = true;
    this.#stop();
    this.#cancelHanding?.();
  }

  #path(query: string): string {
    const { path, only } = this.#parts;
    return `${path}?${only === undefined ? '' : `${only}&`}${query}`;
  }

  #list(): void {
    const { world, apiVersion, kind } = this.#parts;
    this.#stop = askWhole(world, this.#path(`limit=${MOST_OBJECTS}`), (answer) => {
      if (answer.kind === 'failed') return this.#fail(answer);
      const list = readList(answer.body);
      if (list === undefined || list.apiVersion !== apiVersion || list.kind !== `${kind}List`) {
        return this.#fail({ why: `the answer is no ${kind}List of ${apiVersion}` });
      }
      const { metadata, items } = list;
      if ((items ?? []).length > MOST_OBJECTS || (metadata.continue ?? '') !== '') {
        return this.#fail({ why: `there are more than ${MOST_OBJECTS} objects of kind ${kind}` });
      }
      const objects = new Map<string, T>();
      for (const item of items ?? []) {
        const object = this.#parts.read(item);
        if (object === undefined) return this.#fail({ why: `an item of the list is no ${kind}` });
        objects.set(object.name, object);
      }
      this.#objects = objects;
      this.#version = metadata.resourceVersion;
      this.#changed();
      this.#watch(this.#version);
    });
  }

  #watch(version: string): void {
    const { world } = this.#parts;
    const { clock, timers } = world;
    const began = clock.now();
    const limit = Math.round(WATCH_SECONDS * (1 + world.random() / 4));
    const lines = new Lines(MOST_LINE_BYTES);
    let bytes = 0;
    let over = false;
    let hasBegun = false;
    const stop = (): void => {
      over = true;
      if (hasBegun && between(began, clock.now()) >= SHORTEST_WATCH) this.#failures = 0;
      close();
      cancelTimer();
    };
    const fail = (failure: Failure): void => {
      stop();
      this.#fail(failure);
    };
    const query = `watch=1&allowWatchBookmarks=true&timeoutSeconds=${limit}`;
    const since = `resourceVersion=${encodeURIComponent(version)}`;
    const close = world.open(this.#path(`${query}&${since}`), {
      head: (status, retryAfter) => {
        if (status !== OK) return fail({ status, why: `status ${status} to a watch`, retryAfter, ...RELIST });
        hasBegun = true;
        cancelTimer();
        const last = later(later(began, seconds(limit)), WATCH_GRACE);
        cancelTimer = timers.at(last, () => fail({ why: 'a watch does not end' }));
      },
      data: (chunk) => {
        bytes += chunk.length;
        const taken = bytes > MOST_WATCH_BYTES ? undefined : lines.take(chunk);
        if (taken === undefined) return fail({ why: 'a watch says more than it may', ...RELIST });
        for (const line of taken) {
          const problem = this.#event(line);
          if (problem !== undefined) return fail(problem);
        }
      },
      ended: (why) => {
        if (over) return;
        const isShort = between(began, clock.now()) < SHORTEST_WATCH;
        if (why !== undefined || isShort) return fail({ why: why ?? 'a watch ended at once' });
        stop();
        this.start();
      },
    });
    let cancelTimer = timers.at(later(began, HEAD_PATIENCE), () => fail({ why: 'no answer to a watch' }));
    this.#stop = stop;
  }

  /** Undefined: it was taken. Else a new list is needed, or the same watch again. */
  #event(line: string): (Failure & { readonly relist: true }) | undefined {
    const { apiVersion, kind, read } = this.#parts;
    const json = parseJson(line);
    const event = json.ok ? readEvent(json.value) : undefined;
    if (event === undefined) return { why: 'a line of a watch is no event', ...RELIST };
    if (event.type === 'ERROR') {
      const { code, reason } = readStatus(event.object) ?? {};
      return { status: code, why: `a watch ended with ${code ?? reason ?? 'an error'}`, ...RELIST };
    }
    const known = readObject(event.object);
    if (known?.kind !== kind || known.apiVersion !== apiVersion) {
      return { why: `an event of a watch is about no ${kind} of ${apiVersion}`, ...RELIST };
    }
    if (event.type !== 'BOOKMARK') {
      const object = read(event.object);
      if (object === undefined) return { why: `an event of a watch holds no ${kind}`, ...RELIST };
      if (event.type === 'DELETED') this.#objects.delete(object.name);
      else this.#objects.set(object.name, object);
      if (this.#objects.size > MOST_OBJECTS) {
        return { why: `there are more than ${MOST_OBJECTS} objects of kind ${kind}`, ...RELIST };
      }
      this.#changed();
    }
    this.#version = known.metadata.resourceVersion;
    return undefined;
  }

  #fail({ why, status, retryAfter, relist }: Failure & { readonly relist?: true }): void {
    if (this.#closed) return;
    const { world, failed } = this.#parts;
    if (relist === true) this.#version = undefined;
    this.#failures += 1;
    // A version that is too old is the ordinary way of things, and a list mends it. The second in a row is not.
    const isOrdinary = status === GONE && this.#failures === 1;
    const wait = isOrdinary ? millis(0) : this.#wait(retryAfter);
    this.#stop = world.timers.at(later(world.clock.now(), wait), () => this.start());
    // Last: who hears of it may close.
    if (!isOrdinary) failed({ status, why, retryAfter });
  }

  #wait(retryAfter: Duration | undefined): Duration {
    const own = backoff(this.#failures, this.#parts.world.random);
    return millis(Math.max(own, Math.min(retryAfter ?? 0, LONGEST_RETRY)));
  }

  #changed(): void {
    if (this.#cancelHanding !== undefined) return;
    const { clock, timers } = this.#parts.world;
    const at = instant(Math.max(clock.now(), later(this.#handedAt, HANDED_EVERY)));
    this.#cancelHanding = timers.at(at, () => {
      this.#cancelHanding = undefined;
      this.#handedAt = clock.now();
      this.#parts.taken([...this.#objects.values()]);
    });
  }
}

const RELIST = { relist: true } as const;
