import { formatCidr } from '../../base/cidr.ts';
import { isSysError } from '../../base/sys-error.ts';
import { type Duration, type Instant, later, millis, seconds } from '../../base/time.ts';
import type { GuardSpec } from './ports.ts';
import { RepairBook, type Repairs } from './repairs.ts';
import type { HostWorld } from './world.ts';

const ITEM = 'the nftables tables';
/** A ruleset that is reloaded changes many things one after another. */
const BURST: Duration = millis(5);
const RETRY: Duration = seconds(5);

/** Keeps our nftables tables as they should be. */
export class GuardKeeper {
  readonly #world: HostWorld;
  readonly #book: RepairBook;
  readonly #wanted: () => GuardSpec;
  /** What was put last, as text. */
  #put: string | undefined;
  #tail: Promise<void> = Promise.resolve();
  #timer: { readonly at: Instant; readonly cancel: () => void } | undefined;
  /** The last try failed: no look tries again before. */
  #retryAt: Instant | undefined;
  #problem: string | undefined;
  #closed = false;

  /** `wanted`: what the tables have to say at that moment. */
  constructor(world: HostWorld, repairs: Repairs, wanted: () => GuardSpec) {
    this.#world = world;
    this.#book = new RepairBook(world, repairs, 'nftables');
    this.#wanted = wanted;
  }

  /** Why service traffic is not kept off the LAN; undefined when it is. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** The tables say what is wanted when this resolves, or there is a problem. `anew`: a device of theirs came back. */
  ensure(anew = false): Promise<void> {
    this.#tail = this.#tail.then(() => this.#ensure(anew));
    return this.#tail;
  }

  async #ensure(anew: boolean): Promise<void> {
    if (this.#closed) return;
    const spec = this.#wanted();
    const text = textOf(spec);
    if (spec.uplinks.length === 0 || (text === this.#put && !anew)) return;
    await this.#attempt(async () => {
      await this.#world.guard.put(spec);
      this.#put = text;
      this.#book.made(ITEM);
    });
  }

  /** Somebody else changed our tables, or removed them. */
  changed(): void {
    this.#lookAt(later(this.#world.clock.now(), BURST));
  }

  #lookAt(at: Instant): void {
    if (this.#closed || (this.#timer !== undefined && this.#timer.at <= at)) return;
    this.#timer?.cancel();
    const cancel = this.#world.timers.at(at, () => {
      this.#timer = undefined;
      this.#tail = this.#tail.then(() => this.#look());
    });
    this.#timer = { at, cancel };
  }

  async #look(): Promise<void> {
    if (this.#closed) return;
    const at = this.#notBefore();
    if (at !== undefined) {
      this.#lookAt(at);
      return;
    }
    if (this.#put === undefined) {
      await this.#ensure(false);
      return;
    }
    await this.#attempt(async () => {
      if (await this.#world.guard.isIntact()) return;
      const spec = this.#wanted();
      await this.#world.guard.put(spec);
      this.#put = textOf(spec);
      this.#book.note(ITEM);
      this.#book.report();
    });
  }

  /** From when on a look may do something; undefined: at once. A notice does not bring a retry forward, nor does it end it. */
  #notBefore(): Instant | undefined {
    if (this.#retryAt !== undefined && this.#retryAt > this.#world.clock.now()) return this.#retryAt;
    return this.#book.notBefore(ITEM);
  }

  /** A node whose kernel has no nftables runs on, without the guard: it is said once. */
  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.#problem = undefined;
      this.#retryAt = undefined;
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      if (this.#problem !== problem) {
        this.#world.log.error(
          { error: problem },
          'service traffic cannot be kept off the LAN: the nftables tables cannot be set',
        );
      }
      this.#problem = problem;
      this.#put = undefined;
      this.#world.count('guard-failed');
      if (isSysError(error, 'EOPNOTSUPP')) return;
      this.#retryAt = later(this.#world.clock.now(), RETRY);
      this.#lookAt(this.#retryAt);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#tail;
  }
}

function textOf({ networks, uplinks, shims, confined }: GuardSpec): string {
  return [networks.map(formatCidr), uplinks, shims, confined].map((names) => names.join(' ')).join(' | ');
}
