import { equalNetwork, networkOf, parseCidr, type Cidr } from '../../base/cidr.ts';
import { isIpv4 } from '../../base/ip.ts';
import type { Ipv4 } from '../../base/ipv4.ts';

/** A network of service addresses, host bits cleared, and where that stands. */
export type FoundServiceNetwork = {
  readonly network: Cidr<Ipv4>;
  readonly source: string;
  /** How it is known. Absent: it is stated somewhere. */
  readonly inferred?: Inference;
  /** By an earlier run of the daemon: nobody has said it in this one yet. */
  readonly isRemembered?: true;
};

/**
 * The surest first. `usual`: it is the default of the node's own distribution, and addresses in it are known; `size`:
 * addresses in it are known, how large it is was guessed; `unconfirmed`: nothing of this node shows it.
 */
export const INFERENCES = ['usual', 'size', 'unconfirmed'] as const;
export type Inference = (typeof INFERENCES)[number];

/** A person has to look at it. */
export function isGuess({ inferred }: FoundServiceNetwork): boolean {
  return inferred === 'size' || inferred === 'unconfirmed';
}

/** However likely it is: only addresses in it were said. */
export function asGuess(found: FoundServiceNetwork): FoundServiceNetwork {
  return { ...found, inferred: 'size' };
}

/** How little is known of the least known of them: 0 where all are stated. */
export function doubtOf(found: readonly FoundServiceNetwork[]): number {
  return Math.max(
    0,
    ...found.map(({ inferred }) => (inferred === undefined ? 0 : INFERENCES.indexOf(inferred) + 1)),
  );
}

/** Two families, and as many again for a mistake; a longer list is no list of service networks. */
export const MOST_NETWORKS = 16;

/** The IPv4 networks of "10.43.0.0/16,fd00::/108". */
export function networksIn(text: string, source: string): readonly FoundServiceNetwork[] {
  return text
    .split(',')
    .slice(0, MOST_NETWORKS)
    .flatMap((part) => {
      const parsed = parseCidr(part.trim());
      if (parsed === undefined || !isIpv4(parsed.address) || parsed.prefix === 0) return [];
      return [{ network: networkOf({ address: parsed.address, prefix: parsed.prefix }), source }];
    });
}

/** The first of those that are equal. */
export function eachOnce(found: readonly FoundServiceNetwork[]): readonly FoundServiceNetwork[] {
  const once: FoundServiceNetwork[] = [];
  for (const one of found) {
    if (!once.some(({ network }) => equalNetwork(network, one.network))) once.push(one);
  }
  return once.slice(0, MOST_NETWORKS);
}
