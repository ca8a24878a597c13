import { formatCidr } from '../../base/cidr.ts';
import { isSysError } from '../../base/sys-error.ts';
import { type Duration, type Instant, later, millis, seconds } from '../../base/time.ts';
import { doubtOf, type FoundServiceNetwork, isGuess } from './found.ts';
import type { ServiceSearch } from './search.ts';
import type { ServiceSources } from './sources.ts';

/** Where nothing is found, or guessed: a node may join a cluster, or its API may come back. Doubled while it is no node. */
const SOON = seconds(60);
/** Where something is found: a cluster's network is changed once in its life, if ever. */
const SELDOM = seconds(600);
/** A start waits so long for the first search: pods that run shall not lose their way to the services meanwhile. */
const FIRST_PATIENCE = seconds(3);

type Fields = Readonly<Record<string, unknown>>;

export type FinderParts = {
  readonly search: () => Promise<ServiceSearch>;
  /** What an earlier run has found. `keep` throws SysError. */
  readonly kept: {
    read(): readonly FoundServiceNetwork[];
    keep(found: readonly FoundServiceNetwork[]): void;
  };
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
 * runs. What was found stays when it is not found again, or less is known: an API that is away takes no service from a pod.
 */
export class ServiceFinder {
  readonly #parts: FinderParts;
  #cancel: () => void = () => undefined;
  #pause: Duration = SOON;
  #said = '';
  #has = false;
  /** Of what was found. */
  #doubt = 0;
  /** Nothing but an earlier boot speaks for it. */
  #isOnlyRemembered = false;
  #hasLooked = false;
  #looking: Promise<void> | undefined;
  #closed = false;

  constructor(parts: FinderParts) {
    this.#parts = parts;
  }

  /**
   * Begins with what was found before, and searches; settles when that is done, or has taken too long and goes on by
   * itself.
   */
  async start(): Promise<void> {
    if (!this.#parts.isStated()) {
      const before = this.#parts.kept.read();
      if (before.length > 0) this.#use(before);
    }
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
    this.#hasLooked = true;
    this.#cancel = timers.at(later(clock.now(), this.#pause), () => void this.look());
  }

  #take({ networks: found, kubelet, failed }: ServiceSearch): void {
    const { log, count } = this.#parts;
    if (this.#has && doubtOf(found) > this.#doubt) return;
    const texts = found.map(({ network }) => formatCidr(network));
    const isNews = this.#isNews(`${kubelet ?? ''} ${texts.join(' ')}`);
    if (found.length > 0) {
      this.#use(found);
      this.#pause = found.some(isGuess) ? SOON : SELDOM;
      if (!isNews) return;
      this.#keep(found);
      const fields = { networks: texts, sources: found.map(({ source }) => source) };
      if (found.some(isGuess)) {
        log.warn(fields, 'the service network of this node is a guess: state it with --service-cidr');
      } else log.info(fields, 'the service network was found on this node');
      return;
    }
    // It has left its cluster and was started anew. At the first look the kubelet may not be there yet.
    if (kubelet === undefined && this.#isOnlyRemembered && this.#hasLooked) this.#forget();
    this.#pause = kubelet === undefined ? doubled(this.#pause) : SOON;
    if (kubelet === undefined || this.#has || !isNews) return;
    count('service-network-unknown');
    log.error(
      { kubelet, failed },
      'this is a node of a cluster, and its service network is not known: pods reach no service; state it with --service-cidr',
    );
  }

  #use(found: readonly FoundServiceNetwork[]): void {
    this.#has = true;
    this.#doubt = doubtOf(found);
    this.#isOnlyRemembered = found.every((one) => one.isRemembered === true && isGuess(one));
    this.#parts.networks.set('node', found);
  }

  #forget(): void {
    this.#has = false;
    this.#isOnlyRemembered = false;
    this.#parts.networks.set('node', []);
    this.#keep([]);
  }

  /** For the next run: an API that is away then takes no service from the pods that run. */
  #keep(found: readonly FoundServiceNetwork[]): void {
    const { kept, log, count } = this.#parts;
    try {
      kept.keep(found);
    } catch (error) {
      if (!isSysError(error)) throw error;
      count('service-network-unsaved');
      log.warn({ error: error.message }, 'the service network that was found could not be written down');
    }
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
