import * as v from 'valibot';
import { formatCidr } from '../../base/cidr.ts';
import { parseJson } from '../../base/json.ts';
import {
  asGuess,
  type FoundServiceNetwork,
  INFERENCES,
  isGuess,
  MOST_NETWORKS,
  networksIn,
} from './found.ts';

/** What was found of the service networks, kept for the next start: by the search of the node, and by the API. */
export type ServiceMemory = {
  readonly node: readonly FoundServiceNetwork[];
  readonly kubernetes: readonly FoundServiceNetwork[];
};

export const NOTHING_REMEMBERED: ServiceMemory = { node: [], kubernetes: [] };

const FORMAT = 2;
const MAX_CIDR = 32;
const MAX_SOURCE = 1024;
/** A UUID. */
const MAX_BOOT_ID = 36;

const Networks = v.pipe(
  v.array(
    v.object({
      network: v.pipe(v.string(), v.maxLength(MAX_CIDR)),
      source: v.pipe(v.string(), v.maxLength(MAX_SOURCE)),
      inferred: v.optional(v.picklist(INFERENCES)),
    }),
  ),
  v.maxLength(MOST_NETWORKS),
);

const Shape = v.object({
  version: v.literal(FORMAT),
  /** Of the last change of `node`. */
  bootId: v.pipe(v.string(), v.maxLength(MAX_BOOT_ID)),
  node: Networks,
  kubernetes: Networks,
});

export function formatMemory(bootId: string, { node, kubernetes }: ServiceMemory): string {
  return JSON.stringify({ version: FORMAT, bootId, node: stored(node), kubernetes: stored(kubernetes) });
}

/**
 * Undefined: that is no such text. What the node's search found in another boot is a guess by now, for a machine may join
 * another cluster: it counts until anything else is found.
 */
export function parseMemory(bootId: string, text: string): ServiceMemory | undefined {
  const json = parseJson(text);
  const read = json.ok ? v.safeParse(Shape, json.value) : undefined;
  if (read?.success !== true) return undefined;
  const { node, kubernetes, bootId: then } = read.output;
  const found = remembered(node);
  return {
    node: then === bootId ? found : found.map((one) => (isGuess(one) ? one : asGuess(one))),
    kubernetes: remembered(kubernetes),
  };
}

function stored(found: readonly FoundServiceNetwork[]): v.InferOutput<typeof Networks> {
  return found.slice(0, MOST_NETWORKS).map(({ network, source, inferred }) => ({
    network: formatCidr(network),
    source: source.slice(0, MAX_SOURCE),
    ...(inferred === undefined ? {} : { inferred }),
  }));
}

function remembered(networks: v.InferOutput<typeof Networks>): readonly FoundServiceNetwork[] {
  return networks.flatMap(({ network, source, inferred }) =>
    networksIn(network, source).map((one) => ({
      ...one,
      isRemembered: true as const,
      ...(inferred === undefined ? {} : { inferred }),
    })),
  );
}

const OldShape = v.object({
  version: v.literal(1),
  networks: v.pipe(
    v.array(v.object({ network: v.string(), source: v.string(), guessed: v.boolean() })),
    v.maxLength(MOST_NETWORKS),
  ),
});

/** What the API had said, as daemons wrote it before there was one file for all (`cluster/service-networks.json`). */
export function parseOldCluster(text: string): readonly FoundServiceNetwork[] {
  const json = parseJson(text);
  const read = json.ok ? v.safeParse(OldShape, json.value) : undefined;
  if (read?.success !== true) return [];
  return read.output.networks.flatMap(({ network, source, guessed }) =>
    networksIn(network, source).map((one) => ({
      ...(guessed ? asGuess(one) : one),
      isRemembered: true as const,
    })),
  );
}

/** What the node's search had found, as they wrote it (`service-networks`): the boot, then a network a line. */
export function parseOldNode(bootId: string, text: string): readonly FoundServiceNetwork[] {
  const [boot, ...lines] = text.split('\n');
  if (boot !== bootId) return [];
  return lines.slice(0, MOST_NETWORKS).flatMap((line) => {
    const [network = '', how] = line.split(' ');
    const inferred = INFERENCES.find((one) => one === how);
    if (inferred === undefined && how !== 'stated') return [];
    return networksIn(network, 'the search of the node').map((one) => ({
      ...one,
      isRemembered: true as const,
      ...(inferred === undefined ? {} : { inferred }),
    }));
  });
}
