import * as v from 'valibot';
import { formatCidr } from '../../base/cidr.ts';
import { parseJson } from '../../base/json.ts';
import { asGuess, type FoundServiceNetwork, isGuess, MOST_NETWORKS, networksIn } from './found.ts';

const MAX_CIDR = 32;
const MAX_SOURCE = 1024;
const FORMAT = 1;

const Shape = v.object({
  version: v.literal(FORMAT),
  networks: v.pipe(
    v.array(
      v.object({
        network: v.pipe(v.string(), v.maxLength(MAX_CIDR)),
        source: v.pipe(v.string(), v.maxLength(MAX_SOURCE)),
        guessed: v.boolean(),
      }),
    ),
    v.maxLength(MOST_NETWORKS),
  ),
});

/** What the API said, as it is kept for the next start. */
export function formatRemembered(found: readonly FoundServiceNetwork[]): string {
  const networks = found.slice(0, MOST_NETWORKS).map((one) => ({
    network: formatCidr(one.network),
    source: one.source.slice(0, MAX_SOURCE),
    guessed: isGuess(one),
  }));
  return JSON.stringify({ version: FORMAT, networks });
}

/** Undefined: that is no such text. */
export function parseRemembered(text: string): readonly FoundServiceNetwork[] | undefined {
  const json = parseJson(text);
  const read = json.ok ? v.safeParse(Shape, json.value) : undefined;
  if (read?.success !== true) return undefined;
  return read.output.networks.flatMap(({ network, source, guessed }) =>
    networksIn(network, source).map((one) => (guessed ? asGuess(one) : one)),
  );
}
