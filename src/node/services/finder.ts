import { formatCidr } from '../../base/cidr.ts';
import { type Duration, type Instant, later, millis, seconds } from '../../base/time.ts';
import type { ServiceSearch } from './search.ts';
import type { ServiceSources } from './sources.ts';

/** Where nothing is found: a node may join a cluster, or its API may come back. Doubled while it stays so. */
const SOON = seconds(60);
/** Where something is found: a cluster's network is changed once in its life, if ever. */
const SELDOM = seconds(600);
/** A start waits so long for the first search: pods that run shall not lose their way to the services meanwhile. */
const FIRST_PATIENCE = seconds(3);

type Fields = Readonly<Record<string, unknown>>;

export type FinderParts = {
  readonly search: () => Promise<ServiceSearch>;
  readonly networks: Pick<ServiceSources, 'set'>;
  /** The networks are stated, or surer than what could be found here. */
  readonly isStated: () => boolean;
  readonly clock: { now(): Instant };
  readonly timers: { at(at: Instant, callback: () => void): () => void };
  readonly log: {
    info(fields: Fields, message: string): void;
    warn(fields: Fields, message: string): void;
    error(fields: Fields, message: string): void;
  };
  readonly count: (event: string) => void;
};

/**
 * Finds the cluster's service networks on a node to which nobody has stated them, at the start and again while the daemon
 * runs. What was found stays when it is not found again: an API that is away takes no service from a pod.
 */
export class ServiceFinder {
  readonly #parts: FinderParts;
  #cancel: () => void = () => undefined;
  #pause: Duration = SOON;
  #said = '';
  #has = false;
  #looking: Promise<void> | undefined;
  #closed = false;

  constructor(parts: FinderParts) {
    this.#parts = parts;
  }

  /** The first search; settles when it is done, or has taken too long and goes on by itself. */
  async start(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { clock, timers } = this.#parts;
    const cancel = timers.at(later(clock.now(), FIRST_PATIENCE), resolve);
    await Promise.race([this.look(), promise]);
    cancel();
  }

  /** What is stated may have changed. */
  restated(): void {
    this.#pause = SOON;
    void this.look();
  }

  /** Searches now; one search at a time. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async #look(): Promise<void> {
    this.#cancel();
    const { isStated, networks, search, clock, timers } = this.#parts;
    if (isStated()) {
      if (this.#has) networks.set('node', []);
      this.#has = false;
      this.#said = '';
      return;
    }
    const found = await search();
    // It may have been stated, or the daemon may have ended, while others were asked.
    if (this.#closed || isStated()) return;
    this.#take(found);
    this.#cancel = timers.at(later(clock.now(), this.#pause), () => void this.look());
  }

  #take({ networks: found, kubelet, failed }: ServiceSearch): void {
    const { networks, log, count } = this.#parts;
    const texts = found.map(({ network }) => formatCidr(network));
    const isNews = this.#isNews(`${kubelet ?? ''} ${texts.join(' ')}`);
    if (found.length > 0) {
      this.#has = true;
      this.#pause = SELDOM;
      networks.set('node', found);
      if (!isNews) return;
      const fields = { networks: texts, sources: found.map(({ source }) => source) };
      if (found.some(({ guessed }) => guessed === true)) {
        log.warn(fields, 'the service network of this node is a guess: state it with --service-cidr');
      } else log.info(fields, 'the service network was found on this node');
      return;
    }
    this.#pause = kubelet === undefined ? doubled(this.#pause) : SOON;
    if (kubelet === undefined || this.#has || !isNews) return;
    count('service-network-unknown');
    log.error(
      { kubelet, failed },
      'this is a node of a cluster, and its service network is not known: pods reach no service; state it with --service-cidr',
    );
  }

  #isNews(text: string): boolean {
    const isNews = text !== this.#said;
    this.#said = text;
    return isNews;
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
  }
}

function doubled(pause: Duration): Duration {
  return millis(Math.min(2 * pause, SELDOM));
}
