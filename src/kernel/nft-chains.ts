import { isJsonObject, parseJson, type JsonObject } from '../base/json.ts';

export type ForwardChain = {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly policy: string;
};

/** The entries of one kind in what `nft -j list ...` prints (libnftables-json(5)). */
function entriesOf(text: string, kind: 'chain' | 'table'): readonly JsonObject[] {
  const json = parseJson(text);
  const list = json.ok && isJsonObject(json.value) ? json.value['nftables'] : undefined;
  if (!Array.isArray(list)) return [];
  return list.filter(isJsonObject).flatMap((entry) => {
    const found = entry[kind];
    return isJsonObject(found) ? [found] : [];
  });
}

/** The base chains that forwarded IPv4 packets pass. */
export function forwardChainsOf(text: string): readonly ForwardChain[] {
  return entriesOf(text, 'chain').flatMap(({ family, table, name, hook, policy, type }) => {
    if (hook !== 'forward' || type !== 'filter') return [];
    if (typeof family !== 'string' || typeof table !== 'string' || typeof name !== 'string') return [];
    if (family !== 'ip' && family !== 'inet') return [];
    return [{ family, table, name, policy: typeof policy === 'string' ? policy : 'accept' }];
  });
}

/** "inet leasehold" for each. */
export function tablesOf(text: string): readonly string[] {
  return entriesOf(text, 'table').flatMap(({ family, name }) =>
    typeof family === 'string' && typeof name === 'string' ? [`${family} ${name}`] : [],
  );
}
