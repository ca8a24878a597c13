import { err, type Result } from './base/result.ts';
import { millis } from './base/time.ts';
import { randomFloat, now } from './kernel/clock.ts';
import { KernelClusterFacts } from './kernel/cluster-facts.ts';
import { openApi } from './kernel/kube-api.ts';
import type { Timers } from './kernel/timers.ts';
import { DaemonSetWatch } from './kube/daemon-set.ts';
import { Endpoints } from './kube/endpoints.ts';
import { apiServersOf } from './daemon/cluster-access.ts';
import { CLUSTER_PLACES } from './node/services/places.ts';
import type { ApiServer } from './node/services/ports.ts';

/** What the end waits for the API's word: while it does, the next agent does not begin, and pods wait. */
const VERDICT_PATIENCE = millis(1500);
/** RFC 1123: a label, and a subdomain. */
const NAMED = /^(?<namespace>[a-z0-9][a-z0-9-]{0,62})\/(?<name>[a-z0-9][a-z0-9.-]{0,252})$/;

type Log = {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
};

/** Of `--daemonset NAMESPACE/NAME`. Throws an Error that names the flag. */
export function parseDaemonSet(text: string): { readonly namespace: string; readonly name: string } {
  const { namespace, name } = NAMED.exec(text)?.groups ?? {};
  if (namespace !== undefined && name !== undefined) return { namespace, name };
  throw new Error(`--daemonset ${text}: must be NAMESPACE/NAME, such as kube-system/leasehold`);
}

/** The DaemonSet whose deletion takes everything away again. */
export class OwnDaemonSet {
  readonly #watch: DaemonSetWatch;

  /** Throws an Error where there is no API to ask. */
  constructor(named: string, kubeconfig: string | undefined, timers: Timers, log: Log) {
    const { namespace, name } = parseDaemonSet(named);
    const facts = new KernelClusterFacts();
    const servers = (): Result<readonly ApiServer[], string> =>
      apiServersOf(kubeconfig, facts, CLUSTER_PLACES) ??
      err('there is neither a service account nor a kubeconfig to ask it with');
    const clock = { now };
    const endpoints = new Endpoints<ApiServer>({
      servers,
      nameOf: ({ url }) => url,
      open: openApi,
      answered: () => undefined,
      clock,
      timers,
    });
    this.#watch = new DaemonSetWatch({
      world: { open: endpoints.open, clock, timers, random: randomFloat },
      namespace,
      name,
      changed: (state) => {
        if (state === 'absent') {
          log.warn(
            { daemonSet: named },
            'there is no such DaemonSet: --daemonset names another one; nothing will be taken away',
          );
        } else log.info({ daemonSet: named, state }, 'the DaemonSet of this pod');
      },
      problem: (why) => {
        if (why === undefined) log.info({ daemonSet: named }, 'the Kubernetes API answers');
        else
          log.warn(
            { daemonSet: named, problem: why },
            'the Kubernetes API does not show the DaemonSet of this pod',
          );
      },
    });
    this.#watch.start();
  }

  /** Settles after 1.5 s at most. Only what the API says counts: its silence or refusal takes nothing away. */
  async isDeleted(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#watch.verdict(VERDICT_PATIENCE, resolve);
    return await promise;
  }

  close(): void {
    this.#watch.close();
  }
}
