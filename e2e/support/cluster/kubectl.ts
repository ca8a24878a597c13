import * as v from 'valibot';
import type { Namespace } from '../../../src/lab/namespace.ts';
import type { Outcome, RunOptions } from '../../../src/lab/process.ts';
import { waitFor, type WaitOptions } from '../../../src/lab/wait.ts';
import { CACHE_BIN } from '../cache.ts';

/** Nodes that share two processors with everything else take their time. */
const ROLLOUT_SECONDS = 120;
const POLL_MS = 200;
const COMMAND_TIMEOUT_MS = (ROLLOUT_SECONDS + 10) * 1000;

const conditionSchema = v.object({ type: v.string(), status: v.string() });
const podSchema = v.object({
  metadata: v.object({
    name: v.string(),
    namespace: v.string(),
    uid: v.string(),
    deletionTimestamp: v.optional(v.string()),
  }),
  spec: v.object({ nodeName: v.optional(v.string()) }),
  status: v.object({
    phase: v.string(),
    podIP: v.optional(v.string()),
    conditions: v.optional(v.array(conditionSchema), []),
    containerStatuses: v.optional(v.array(v.object({ restartCount: v.number() })), []),
  }),
});
const podsSchema = v.object({ items: v.array(podSchema) });
const eventsSchema = v.object({ items: v.array(v.object({ count: v.nullish(v.number()) })) });
const nodesSchema = v.object({
  items: v.array(
    v.object({
      metadata: v.object({ name: v.string() }),
      status: v.object({ conditions: v.array(conditionSchema) }),
    }),
  ),
});

/** A pod as the API has it. `ip` and `node` are '' as long as it has none. */
export type Pod = {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly ip: string;
  readonly node: string;
  readonly phase: string;
  readonly isReady: boolean;
  /** How often its containers were started again. */
  readonly restarts: number;
  readonly isTerminating: boolean;
};

/** kubectl as the cluster's administrator, on a machine of the LAN. */
export class Kubectl {
  readonly #place: Namespace;
  readonly #args: readonly string[];

  constructor(place: Namespace, kubeconfig: string, cacheDir: string) {
    this.#place = place;
    this.#args = [`${CACHE_BIN}/kubectl`, '--kubeconfig', kubeconfig, '--cache-dir', cacheDir];
  }

  command(...args: readonly string[]): readonly string[] {
    return this.#place.command([...this.#args, ...args]);
  }

  async run(...args: readonly string[]): Promise<string> {
    return await this.#place.run([...this.#args, ...args], { timeoutMs: COMMAND_TIMEOUT_MS });
  }

  async runToEnd(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return await this.#place.runToEnd([...this.#args, ...args], {
      timeoutMs: COMMAND_TIMEOUT_MS,
      ...options,
    });
  }

  /** `kubectl apply` of objects; JSON is YAML. */
  async apply(...objects: readonly object[]): Promise<void> {
    await this.#withInput(['apply', '-f', '-'], objects);
  }

  async delete(...objects: readonly object[]): Promise<void> {
    await this.#withInput(['delete', '--ignore-not-found', '-f', '-'], objects);
  }

  async #withInput(args: readonly string[], objects: readonly object[]): Promise<void> {
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
    await this.#place.run([...this.#args, ...args], { input, timeoutMs: COMMAND_TIMEOUT_MS });
  }

  /** Waits until a workload ("deployment/web") is all of its newest version and ready. */
  async rollout(workload: string, namespace = 'default'): Promise<void> {
    const more = ['--namespace', namespace, `--timeout=${ROLLOUT_SECONDS}s`];
    const outcome = await this.runToEnd(['rollout', 'status', workload, ...more]);
    if (outcome.status === 0) return;
    const logs = await this.runToEnd(['logs', workload, '--namespace', namespace, '--all-pods', '--tail=5']);
    throw new Error(
      `${workload} is not ready: ${outcome.stderr}${await this.#overview()}${logs.stdout}${logs.stderr}`,
    );
  }

  async json(...args: readonly string[]): Promise<unknown> {
    return JSON.parse(await this.run(...args, '--output', 'json'));
  }

  /** Pods of a label selector ("app=web"), also those that are being deleted. */
  async pods(selector: string, namespace = 'default'): Promise<readonly Pod[]> {
    const { items } = v.parse(
      podsSchema,
      await this.json('get', 'pods', '--selector', selector, '--namespace', namespace),
    );
    return items.map(({ metadata, spec, status }) => ({
      name: metadata.name,
      namespace: metadata.namespace,
      uid: metadata.uid,
      ip: status.podIP ?? '',
      node: spec.nodeName ?? '',
      phase: status.phase,
      isReady: isTrue(status.conditions, 'Ready'),
      restarts: status.containerStatuses.reduce((sum, { restartCount }) => sum + restartCount, 0),
      isTerminating: metadata.deletionTimestamp !== undefined,
    }));
  }

  /** Whether each node is Ready, by name. */
  async nodesReady(): Promise<Readonly<Record<string, boolean>>> {
    const { items } = v.parse(nodesSchema, await this.json('get', 'nodes'));
    return Object.fromEntries(
      items.map(({ metadata, status }) => [metadata.name, isTrue(status.conditions, 'Ready')]),
    );
  }

  /** How often a pod's sandbox could not be made so far, in all namespaces. */
  async failedSandboxes(): Promise<number> {
    const { items } = v.parse(
      eventsSchema,
      await this.json('get', 'events', '-A', '--field-selector', 'reason=FailedCreatePodSandBox'),
    );
    return items.reduce((sum, { count }) => sum + (count ?? 1), 0);
  }

  /** Looks until `condition` is true; what the API server cannot answer yet counts as not true. */
  async until(what: string, condition: () => Promise<boolean>, options: WaitOptions = {}): Promise<void> {
    let last = '';
    await waitFor(
      what,
      async () => {
        try {
          return await condition();
        } catch (error) {
          last = String(error);
          return false;
        }
      },
      {
        deadlineMs: ROLLOUT_SECONDS * 1000,
        everyMs: POLL_MS,
        describe: async () => `${last}\n${await this.#overview()}`,
        ...options,
      },
    );
  }

  /** For the message of a test that waited in vain. */
  async #overview(): Promise<string> {
    const seen = await this.runToEnd(['get', 'nodes,pods', '--all-namespaces', '--output', 'wide']);
    const warnings = ['--sort-by=.lastTimestamp', '--field-selector', 'type=Warning'];
    const events = await this.runToEnd(['get', 'events', '--all-namespaces', ...warnings]);
    return `${seen.stdout}${events.stdout.split('\n').slice(-20).join('\n')}`;
  }
}

function isTrue(conditions: readonly v.InferOutput<typeof conditionSchema>[], type: string): boolean {
  return conditions.some((condition) => condition.type === type && condition.status === 'True');
}
