import { ipv4ToNumber, type Ipv4 } from '../../base/ipv4.ts';
import { networkOf, type Cidr } from '../../base/cidr.ts';
import { beU32Bytes } from './attributes.ts';
import type { SetElement } from './table.ts';

const ADDRESSES = 2 ** 32;
const ADDRESS_BITS = 32;

/**
 * Networks as the elements of a set of intervals: a start, and an end which is the first address after it. The kernel
 * refuses overlaps, so those that overlap or touch become one. An interval to the last address has no end.
 */
export function intervalElements(networks: readonly Cidr<Ipv4>[]): readonly SetElement[] {
  const ranges = networks
    .map((network) => {
      const start = ipv4ToNumber(networkOf(network).address);
      return { start, end: start + 2 ** (ADDRESS_BITS - network.prefix) };
    })
    .toSorted((a, b) => a.start - b.start);
  const merged: { readonly start: number; end: number }[] = [];
  for (const range of ranges) {
    const last = merged.at(-1);
    if (last !== undefined && range.start <= last.end) last.end = Math.max(last.end, range.end);
    else merged.push({ ...range });
  }
  return merged.flatMap(({ start, end }) => [
    { key: beU32Bytes(start) },
    ...(end === ADDRESSES ? [] : [{ key: beU32Bytes(end), intervalEnd: true }]),
  ]);
}
