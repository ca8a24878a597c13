import { type Instant, later, seconds } from '../base/time.ts';
import { type Result } from '../base/result.ts';
import type { AnswerTaker, KubeWorld, OpenAnswer } from './ports.ts';

/**
 * A server that is there answers in milliseconds; behind a dead address nobody answers. The last one has as long as whoever
 * asks, for it may be slow.
 */
const PATIENCE = seconds(3);
/** The kubelet's server, and that of the service. */
const MOST_SERVERS = 4;
/** One that did not answer comes after the others for so long: else each request would wait for it. */
const SET_ASIDE = seconds(60);
/** "Bad gateway" and above: a balancer before the API servers that has none. */
const NOBODY_THERE = 502;

export type EndpointsParts<Server> = Pick<KubeWorld, 'clock' | 'timers'> & {
  /**
   * Whom to ask, the first choice first, with what proves who asks; or why nobody can be asked. Called for each GET, so
   * that a token or an authority that was exchanged counts from the next one on.
   */
  readonly servers: () => Result<readonly Server[], string>;
  readonly nameOf: (server: Server) => string;
  readonly open: (server: Server, path: string, taker: AnswerTaker) => () => void;
  /** Who answered. */
  readonly answered: (server: string) => void;
};

/** GETs that go to the first of several API servers that answers. The first choice has the first word while it answers. */
export class Endpoints<Server> {
  readonly #parts: EndpointsParts<Server>;
  /** Until when those that did not answer come after the others, by name. */
  #aside: ReadonlyMap<string, Instant> = new Map();

  constructor(parts: EndpointsParts<Server>) {
    this.#parts = parts;
  }

  readonly open: OpenAnswer = (path, taker) => {
    const { servers, clock, timers } = this.#parts;
    const all = servers();
    if (!all.ok) return timers.at(clock.now(), () => taker.ended(all.error));
    return this.#try(this.#inOrder(all.value.slice(0, MOST_SERVERS)), path, taker, []);
  };

  #inOrder(servers: readonly Server[]): readonly Server[] {
    const now = this.#parts.clock.now();
    const names = new Set(servers.map(this.#parts.nameOf));
    this.#aside = new Map([...this.#aside].filter(([name, until]) => names.has(name) && until > now));
    const isAside = (server: Server): number => Number(this.#aside.has(this.#parts.nameOf(server)));
    return servers.toSorted((a, b) => isAside(a) - isAside(b));
  }

  #setAside(name: string): void {
    this.#aside = new Map(this.#aside).set(name, later(this.#parts.clock.now(), SET_ASIDE));
  }

  #try(servers: readonly Server[], path: string, taker: AnswerTaker, failed: readonly string[]): () => void {
    const { nameOf, open, answered, clock, timers } = this.#parts;
    const [server, ...others] = servers;
    if (server === undefined) return timers.at(clock.now(), () => taker.ended(failed.join('; ')));
    const name = nameOf(server);
    let inner: (() => void) | undefined;
    const next = (why: string): void => {
      stop();
      this.#setAside(name);
      inner = this.#try(others, path, taker, [...failed, `${name}: ${why}`]);
    };
    let hasAnswered = false;
    const close = open(server, path, {
      head: (status, retryAfter) => {
        if (status >= NOBODY_THERE && others.length > 0) return next(`status ${status}`);
        hasAnswered = true;
        cancelTimer();
        answered(name);
        taker.head(status, retryAfter);
      },
      data: taker.data,
      ended: (why) => {
        if (!hasAnswered) return next(why ?? 'no answer');
        taker.ended(why === undefined ? undefined : `${name}: ${why}`);
      },
    });
    const cancelTimer =
      others.length === 0
        ? (): void => undefined
        : timers.at(later(clock.now(), PATIENCE), () => next('no answer within 3 s'));
    const stop = (): void => {
      close();
      cancelTimer();
    };
    return () => (inner ?? stop)();
  }
}
