import { type Duration, type Instant, later, millis } from '../base/time.ts';
import type { PodExtras } from '../protocol/dhcp4/extras.ts';
import type { Finding } from './finding.ts';
import { causes } from './lan.ts';
import type { KnownLan, LanPorts } from './ports.ts';

export type Lan = { readonly index: number; readonly name: string };

/** An ADD has waited long enough already. */
const BUDGET = millis(1500);
/** For how long an answer is good: many pods of a node fail within the same moments, and are tried again. */
const KEPT_FOR = millis(10_000);
/** Uplinks that are remembered at once. */
const MOST_LANS = 64;

/**
 * Why an ADD got no address on this uplink: a sentence of cause and one of remedy, for the message that its caller
 * sees. Undefined when a pod would get one now, so that the cause is not the LAN's, and when the probe itself failed.
 */
export async function diagnoseAdd(
  ports: LanPorts,
  lan: Lan,
  budget: Duration = BUDGET,
  extras?: PodExtras,
): Promise<string | undefined> {
  return inWords(await causes(ports, lan.name, { budget, patience: millis(0), extras }));
}

function inWords(found: readonly Finding[]): string | undefined {
  const first = found.find(({ severity }) => severity === 'error' || severity === 'warning');
  if (first === undefined || first.id === 'probe-failed') return undefined;
  return [first.title, ...first.remedy.slice(0, 1)].map(sentence).join(' ');
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

type Kept = {
  /** After the budget. */
  readonly early: Promise<string | undefined>;
  ended: Promise<void>;
  /** After the patience, which is for the next who asks: a runtime tries a pod that failed again. */
  whole: string | undefined;
  /** Undefined while the probe runs. */
  until: Instant | undefined;
};

/** `diagnoseAdd` for many at once: one run per uplink at a time, and its answer is kept for ten seconds. */
export class AddDiagnoses {
  readonly #ports: LanPorts;
  readonly #options: DiagnosesOptions;
  readonly #kept = new Map<string, Kept>();
  readonly #end = new AbortController();

  constructor(ports: LanPorts, options: DiagnosesOptions) {
    this.#ports = ports;
    this.#options = options;
  }

  /** As `services.diagnose` of the plugins. Never rejects. */
  readonly diagnose = (lan: Lan, extras?: PodExtras): Promise<string | undefined> => {
    // Pods of another configuration may fail for another reason.
    const key = `${lan.index} ${lan.name} ${JSON.stringify(extras?.parameterRequest)} ${Object.keys(extras?.send ?? {}).join()}`;
    const now = this.#ports.clock.now();
    const kept = this.#kept.get(key);
    if (kept !== undefined && kept.until === undefined) return kept.early;
    if (kept?.until !== undefined && now < kept.until) return Promise.resolve(kept.whole);
    this.#forget(now);
    if (this.#kept.size >= MOST_LANS || this.#end.signal.aborted) return Promise.resolve(undefined);
    const { promise: early, resolve } = Promise.withResolvers<string | undefined>();
    const running: Kept = { early, ended: Promise.resolve(), whole: undefined, until: undefined };
    this.#kept.set(key, running);
    running.ended = this.#run(lan, extras, resolve).then((whole) => {
      resolve(whole);
      running.whole = whole;
      running.until = later(this.#ports.clock.now(), KEPT_FOR);
    });
    return early;
  };

  /** Ends what runs, and settles when its sockets are closed. For the end of the daemon. */
  async close(): Promise<void> {
    this.#end.abort();
    await Promise.all([...this.#kept.values()].map(({ ended }) => ended));
  }

  #forget(now: Instant): void {
    for (const [key, { until }] of this.#kept) {
      if (until !== undefined && until <= now) this.#kept.delete(key);
    }
  }

  async #run(
    lan: Lan,
    extras: PodExtras | undefined,
    early: (answer: string | undefined) => void,
  ): Promise<string | undefined> {
    const { budget = BUDGET, patience, known, warn } = this.#options;
    let said = false;
    const say = (cause: string | undefined): string | undefined => {
      if (cause !== undefined && !said)
        warn({ uplink: lan.name, cause }, 'pods get no address on this uplink');
      said ||= cause !== undefined;
      return cause;
    };
    try {
      const found = await causes(this.#ports, lan.name, {
        budget,
        extras,
        signal: this.#end.signal,
        ...(patience === undefined ? {} : { patience }),
        ...(known === undefined ? {} : { known }),
        early: (soFar) => early(say(inWords(soFar))),
      });
      return say(inWords(found));
    } catch (error) {
      warn({ uplink: lan.name, error: String(error) }, 'the LAN could not be diagnosed');
      return undefined;
    }
  }
}

export type DiagnosesOptions = {
  readonly budget?: Duration;
  readonly patience?: Duration;
  /** As in LanOptions. */
  readonly known?: (uplink: string) => KnownLan | undefined;
  /** Is told what was found, and of a probe that broke; a diagnosis never makes anything fail. */
  readonly warn: (fields: object, message: string) => void;
};
