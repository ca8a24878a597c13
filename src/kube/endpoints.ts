import { later, seconds } from '../base/time.ts';
import { type Result } from '../base/result.ts';
import type { AnswerTaker, KubeWorld, OpenAnswer } from './ports.ts';

/**
 * A server that is there answers in milliseconds; behind a dead address nobody answers. The last one has as long as whoever
 * asks, for it may be slow.
 */
const PATIENCE = seconds(3);
/** The kubelet's server, and that of the service. */
const MOST_SERVERS = 4;
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

/** GETs that go to the first of several API servers that answers. The first choice has the first word each time. */
export class Endpoints<Server> {
  readonly #parts: EndpointsParts<Server>;

  constructor(parts: EndpointsParts<Server>) {
    this.#parts = parts;
  }

  readonly open: OpenAnswer = (path, taker) => {
    const { servers, clock, timers } = this.#parts;
    const all = servers();
    if (!all.ok) return timers.at(clock.now(), () => taker.ended(all.error));
    return this.#try(all.value.slice(0, MOST_SERVERS), path, taker, []);
  };

  #try(servers: readonly Server[], path: string, taker: AnswerTaker, failed: readonly string[]): () => void {
    const { nameOf, open, answered, clock, timers } = this.#parts;
    const [server, ...others] = servers;
    if (server === undefined) return timers.at(clock.now(), () => taker.ended(failed.join('; ')));
    const name = nameOf(server);
    let inner: (() => void) | undefined;
    const next = (why: string): void => {
      stop();
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
