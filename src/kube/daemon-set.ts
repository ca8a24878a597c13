import { type Duration, later } from '../base/time.ts';
import type { KubeWorld } from './ports.ts';
import { Reflector } from './reflector.ts';
import { readDaemonSet } from './shapes.ts';
import { askWhole } from './whole-answer.ts';

const APPS = 'apps/v1';
const NOT_FOUND = 404;

/**
 * `unknown`: the API has not said. `absent`: there is none of that name, nor was there one before: a mistake rather than a
 * deletion. `deleted`: the one that was there is gone or is being deleted. One that was made anew under its name is `there`:
 * its pods go on with what the others had (`kubectl replace --force`, pods that were left by `--cascade=orphan`).
 */
export type DaemonSetState = 'unknown' | 'absent' | 'there' | 'deleted';

export type DaemonSetParts = {
  readonly world: KubeWorld;
  readonly namespace: string;
  readonly name: string;
  /** It is another than it was. */
  readonly changed: (state: DaemonSetState) => void;
  /** Why the API does not say; undefined: it does again. */
  readonly problem: (why: string | undefined) => void;
};

type Seen = { readonly name: string; readonly isLeaving: boolean };

/** Whether the DaemonSet that this pod is one of is there: a watch of that one object. */
export class DaemonSetWatch {
  readonly #parts: DaemonSetParts;
  readonly #path: string;
  #reflector: Reflector<Seen> | undefined;
  #wasThere = false;
  #state: DaemonSetState = 'unknown';
  #problem: string | undefined;
  /** Of a verdict that is awaited. */
  #contradicted: () => void = () => undefined;

  constructor(parts: DaemonSetParts) {
    this.#parts = parts;
    this.#path = `/apis/${APPS}/namespaces/${encodeURIComponent(parts.namespace)}/daemonsets`;
  }

  get state(): DaemonSetState {
    return this.#state;
  }

  start(): void {
    const { world, name } = this.#parts;
    this.#reflector = new Reflector<Seen>({
      world,
      path: this.#path,
      only: `fieldSelector=${encodeURIComponent(`metadata.name=${name}`)}`,
      apiVersion: APPS,
      kind: 'DaemonSet',
      read: seen,
      taken: (all) => {
        this.#tell(undefined);
        this.#take(all.find((one) => one.name === name));
      },
      failed: ({ why }) => this.#tell(why),
    });
    this.#reflector.start();
  }

  close(): void {
    this.#reflector?.close();
  }

  /** Asks once more; `done` hears what is known then. Gives what cancels it. */
  ask(done: (state: DaemonSetState) => void): () => void {
    const { world, name } = this.#parts;
    return askWhole(world, `${this.#path}/${encodeURIComponent(name)}`, (answer) => {
      const found = answer.kind === 'json' ? seen(answer.body) : undefined;
      if (found !== undefined) this.#take(found);
      else if (answer.kind === 'failed' && answer.status === NOT_FOUND) this.#take(undefined);
      // Whoever may no longer ask, or gets no answer, knows no more than before, and that may be out of date.
      else return done(this.#state === 'deleted' ? 'deleted' : 'unknown');
      done(this.#state);
    });
  }

  /**
   * Whether it was deleted, for who ends. "Deleted" has all of `within` to be contradicted: another one may come in its place in a
   * moment, and roles vanish a moment before the last event.
   */
  verdict(within: Duration, done: (isDeleted: boolean) => void): void {
    const { clock, timers } = this.#parts.world;
    const cancels: (() => void)[] = [];
    const end = (isDeleted: boolean): void => {
      this.#contradicted = () => undefined;
      for (const cancel of cancels.splice(0)) cancel();
      done(isDeleted);
    };
    this.#contradicted = () => end(false);
    cancels.push(timers.at(later(clock.now(), within), () => end(this.#state === 'deleted')));
    cancels.push(
      this.ask((state) => {
        if (state === 'there' || state === 'absent') this.#contradicted();
      }),
    );
  }

  #take(found: Seen | undefined): void {
    this.#wasThere ||= found !== undefined;
    const gone = this.#wasThere ? 'deleted' : 'absent';
    const state = found === undefined || found.isLeaving ? gone : 'there';
    if (state === this.#state) return;
    this.#state = state;
    this.#parts.changed(state);
    if (state === 'there') this.#contradicted();
  }

  #tell(problem: string | undefined): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#parts.problem(problem);
  }
}

function seen(json: unknown): Seen | undefined {
  const metadata = readDaemonSet(json)?.metadata;
  if (metadata === undefined) return undefined;
  const { name, deletionTimestamp } = metadata;
  return { name, isLeaving: (deletionTimestamp ?? undefined) !== undefined };
}
