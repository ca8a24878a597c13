import type { JsonSchema } from '@valibot/to-json-schema';
import { LOG_LEVELS } from '../src/observe/log.ts';
import { daemonProperties } from './daemon-schema.ts';
import { forGo } from './go-pattern.ts';
import {
  ANY_PLUGIN,
  DEFINITIONS,
  listSchema,
  pluginSchema,
  type Properties,
  when,
} from './leasehold-schema.ts';

/** The values of the Helm chart: those of the pod here, those of the network and of the daemon as the code has them. */

const TEXT: JsonSchema = { type: 'string', minLength: 1 };
const NAMES: JsonSchema = { type: 'object', additionalProperties: { type: 'string' } };
const QUANTITY: JsonSchema = {
  type: ['string', 'number'],
  pattern: '^[0-9]+(\\.[0-9]+)?([numkMGTPE]|[KMGTPE]i)?$',
};
const QUANTITIES: JsonSchema = { type: 'object', additionalProperties: QUANTITY };
/** Absolute, without "..", nothing that YAML or a mount would read as more than a path. */
const PATH = '^(?:/\\.?[A-Za-z0-9_@+-][A-Za-z0-9._@+-]*)+$';

function object(properties: Properties, more: JsonSchema = {}): JsonSchema {
  return { type: 'object', properties: { ...properties }, additionalProperties: false, ...more };
}

function list(items: JsonSchema, more: JsonSchema = {}): JsonSchema {
  return { type: 'array', items, ...more };
}

/** Keys that a DaemonSet cannot have: they are different on each node. */
const NOT_OF_A_CLUSTER = new Set(['node', 'kubeconfig']);

/** The keys of the plugin alone: type and versions are the chart's, and what another plugin makes goes into `conflist`. */
function networkSchema(): JsonSchema {
  const { properties, allOf } = pluginSchema();
  const other = new Set(['cniVersion', 'cniVersions', 'name', 'type', 'ipam', 'prevResult', 'chained']);
  const own = Object.entries(properties ?? {}).filter(([key]) => !other.has(key));
  // The first is for `chained`.
  return object(Object.fromEntries(own) as Properties, { allOf: (allOf ?? []).slice(1) });
}

const CONFIG = Object.fromEntries(
  Object.entries(daemonProperties()).filter(([key]) => !NOT_OF_A_CLUSTER.has(key)),
);

const path: JsonSchema = { type: 'string', pattern: PATH };

const PROPERTIES: Properties = {
  // Helm hands it to a chart that is part of another.
  global: { type: 'object' },
  image: object({
    repository: { type: 'string', pattern: '^[a-z0-9][A-Za-z0-9._/:-]*[A-Za-z0-9]$' },
    tag: { type: 'string', pattern: '^(?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?$' },
    digest: { type: 'string', pattern: '^(?:sha256:[0-9a-f]{64})?$' },
    pullPolicy: { enum: ['IfNotPresent', 'Always', 'Never'] },
  }),
  imagePullSecrets: list(object({ name: TEXT }, { required: ['name'] })),
  paths: object({
    cniBin: path,
    cniConf: path,
    netns: path,
    kubeletKubeconfig: { type: 'string', pattern: `^$|${PATH}` },
    run: path,
    state: path,
    cniState: path,
  }),
  network: { $ref: '#/definitions/network' },
  chain: list(ANY_PLUGIN),
  conflist: { type: 'object', ...when({ maxProperties: 0 }, {}, { $ref: '#/definitions/list' }) },
  conflistName: { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._-]*\\.conflist$', maxLength: 253 },
  config: object(CONFIG),
  dropIn: { type: 'boolean' },
  logLevel: { enum: [...LOG_LEVELS] },
  extraArgs: list({ type: 'string', pattern: '^--[a-z]' }),
  extraEnv: list(
    object({ name: TEXT, value: { type: 'string' }, valueFrom: { type: 'object' } }, { required: ['name'] }),
  ),
  // Kubernetes names capabilities without the kernel's CAP_.
  extraCapabilities: list({ type: 'string', pattern: '^(?!CAP_|ALL$)[A-Z][A-Z_]*$' }, { uniqueItems: true }),
  seLinuxOptions: object({ level: TEXT, role: TEXT, type: TEXT, user: TEXT }),
  resources: object({ requests: QUANTITIES, limits: QUANTITIES }),
  nodeSelector: NAMES,
  affinity: object({
    nodeAffinity: { type: 'object' },
    podAffinity: { type: 'object' },
    podAntiAffinity: { type: 'object' },
  }),
  tolerations: list(
    object({
      key: { type: 'string' },
      operator: { enum: ['Exists', 'Equal', 'Lt', 'Gt'] },
      value: { type: 'string' },
      effect: { enum: ['NoSchedule', 'PreferNoSchedule', 'NoExecute'] },
      tolerationSeconds: { type: 'integer' },
    }),
  ),
  priorityClassName: TEXT,
  podAnnotations: NAMES,
  podLabels: NAMES,
};

/** Of deploy/chart/leasehold/values.yaml, with the regular expressions of ECMAScript, as JSON Schema has them. */
export function plainValuesSchema(): JsonSchema {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: "Values of Leasehold's chart",
    description: 'Made by scripts/generate-schema.ts.',
    ...object(PROPERTIES),
    definitions: { ...DEFINITIONS, plugin: pluginSchema(), list: listSchema(), network: networkSchema() },
  };
}

/** What is shipped with the chart: Helm judges by it at install, upgrade, template and lint. */
export function valuesSchema(): JsonSchema {
  return forGo(plainValuesSchema());
}
