import { concat, equalBytes, toHex } from '../../base/bytes.ts';
import type { Result } from '../../base/result.ts';
import { Attributes, decoding, type NetlinkProblem, StructReader } from '../netlink/attributes.ts';
import { orderedAttributes, readBeU32, readBeU64, type OrderedAttribute } from './attributes.ts';
import {
  COUNTER,
  NFTA_COUNTER_BYTES,
  NFTA_COUNTER_PACKETS,
  NFTA_DATA_VALUE,
  NFTA_EXPR_DATA,
  NFTA_EXPR_NAME,
} from './expression.ts';
import { NFGENMSG_LENGTH, NFTA_TABLE } from './message.ts';
import {
  chainAttributes,
  NFTA_CHAIN_NAME,
  NFTA_RULE_CHAIN,
  NFTA_RULE_EXPRESSIONS,
  NFTA_SET_ELEM_FLAGS,
  NFTA_SET_ELEM_KEY,
  NFTA_SET_ELEM_LIST_ELEMENTS,
  NFTA_SET_NAME,
  ruleAttributes,
  setAttributes,
  type SetSpec,
  type TableSpec,
} from './table.ts';

/** What the kernel has of one table: the attributes of each message. Dumps of chains are those of the whole family. */
export type TableDump = {
  readonly sets: readonly Uint8Array[];
  readonly chains: readonly Uint8Array[];
  readonly rules: readonly Uint8Array[];
  /** By the name of the set, of those that have elements in the specification. */
  readonly elements: ReadonlyMap<string, readonly Uint8Array[]>;
};

/** What one chain's counters have counted. */
export type ChainCount = { readonly chain: string; readonly packets: bigint; readonly bytes: bigint };

/** The attributes of a message, which come after struct nfgenmsg. */
export function nftAttributes(payload: Uint8Array): Uint8Array {
  return new StructReader(payload, 'nfgenmsg', NFGENMSG_LENGTH).after(NFGENMSG_LENGTH);
}

/**
 * Whether `seen` has every attribute of `expected`, as often, in the same order and with the same value. What else it
 * has (handles, counters, defaults) is the kernel's. NetlinkFormatError for what is no attribute.
 */
export function containsAttributes(expected: Uint8Array, seen: Uint8Array): boolean {
  const theirs = Map.groupBy(orderedAttributes(seen, 'the dump'), ({ type }) => type);
  const ours = Map.groupBy(orderedAttributes(expected, 'the specification'), ({ type }) => type);
  return ours.entries().every(([type, wanted]) => {
    const found = theirs.get(type) ?? [];
    return found.length === wanted.length && wanted.every((one, at) => containsValue(one, found[at]));
  });
}

function containsValue(wanted: OrderedAttribute, found: OrderedAttribute | undefined): boolean {
  if (found === undefined) return false;
  if (wanted.nested) return containsAttributes(wanted.value, found.value);
  return equalBytes(wanted.value, found.value);
}

function sameInOrder(wanted: readonly Uint8Array[], found: readonly Uint8Array[]): boolean {
  return (
    wanted.length === found.length &&
    wanted.every((one, at) => containsAttributes(one, found[at] ?? new Uint8Array(0)))
  );
}

function named(messages: readonly Uint8Array[], type: number, name: string): readonly Uint8Array[] {
  return messages.filter((message) => new Attributes(message, 'a dump').text(type) === name);
}

/** Whether the table is as the specification says: no chain, rule, set or element more or less, or of another kind. */
export function isTableAsSpecified(spec: TableSpec, dump: TableDump): Result<boolean, NetlinkProblem> {
  return decoding(() => {
    const chains = named(dump.chains, NFTA_TABLE, spec.name);
    const sets = named(dump.sets, NFTA_TABLE, spec.name);
    const rules = named(dump.rules, NFTA_TABLE, spec.name);
    const ruleCount = spec.chains.reduce((sum, chain) => sum + chain.rules.length, 0);
    if (chains.length !== spec.chains.length || sets.length !== spec.sets.length) return false;
    if (rules.length !== ruleCount) return false;
    return (
      spec.chains.every((chain) => {
        const own = chain.rules.map((rule) => concat(ruleAttributes(chain.name, rule)));
        return (
          sameInOrder([concat(chainAttributes(chain))], named(chains, NFTA_CHAIN_NAME, chain.name)) &&
          sameInOrder(own, named(rules, NFTA_RULE_CHAIN, chain.name))
        );
      }) &&
      spec.sets.every(
        (set) =>
          sameInOrder([concat(setAttributes(set))], named(sets, NFTA_SET_NAME, set.name)) &&
          (set.elements === undefined || sameElements(set, dump.elements.get(set.name) ?? [])),
      )
    );
  });
}

/** The kernel tells the elements in an order of its own, and an interval set's with an end below the first start. */
function sameElements(set: SetSpec, messages: readonly Uint8Array[]): boolean {
  const seen = new Set(messages.flatMap(elementKeys));
  const wanted = (set.elements ?? []).map(({ key, intervalEnd }) => elementKey(key, intervalEnd === true));
  return seen.size === wanted.length && wanted.every((key) => seen.has(key));
}

function elementKey(key: Uint8Array, intervalEnd: boolean): string {
  return `${toHex(key)}${intervalEnd ? ' end' : ''}`;
}

function elementKeys(message: Uint8Array): readonly string[] {
  const list = new Attributes(message, 'NFT_MSG_NEWSETELEM').bytes(NFTA_SET_ELEM_LIST_ELEMENTS);
  if (list === undefined) return [];
  return orderedAttributes(list, 'elements').map(({ value }) => {
    const element = new Attributes(value, 'an element');
    const key = element.nested(NFTA_SET_ELEM_KEY)?.bytes(NFTA_DATA_VALUE) ?? new Uint8Array(0);
    return elementKey(key, (readBeU32(element.bytes(NFTA_SET_ELEM_FLAGS)) ?? 0) !== 0);
  });
}

/** The sums of all counters of each chain of a table, from a dump of its rules. */
export function countChains(rules: readonly Uint8Array[]): Result<readonly ChainCount[], NetlinkProblem> {
  return decoding(() => {
    const counts = new Map<string, ChainCount>();
    for (const rule of rules) {
      const attributes = new Attributes(rule, 'NFT_MSG_NEWRULE');
      const chain = attributes.text(NFTA_RULE_CHAIN) ?? '';
      const sum = counts.get(chain) ?? { chain, packets: 0n, bytes: 0n };
      const own = countRule(attributes.bytes(NFTA_RULE_EXPRESSIONS) ?? new Uint8Array(0));
      counts.set(chain, { chain, packets: sum.packets + own.packets, bytes: sum.bytes + own.bytes });
    }
    return [...counts.values()];
  });
}

function countRule(expressions: Uint8Array): { readonly packets: bigint; readonly bytes: bigint } {
  let [packets, bytes] = [0n, 0n];
  for (const { value } of orderedAttributes(expressions, 'expressions')) {
    const expression = new Attributes(value, 'an expression');
    if (expression.text(NFTA_EXPR_NAME) !== COUNTER) continue;
    const data = expression.nested(NFTA_EXPR_DATA);
    packets += readBeU64(data?.bytes(NFTA_COUNTER_PACKETS)) ?? 0n;
    bytes += readBeU64(data?.bytes(NFTA_COUNTER_BYTES)) ?? 0n;
  }
  return { packets, bytes };
}
