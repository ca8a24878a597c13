import { type Cidr, formatCidr, networkOf } from '../../base/cidr.ts';
import type { Ipv4 } from '../../base/ipv4.ts';

/**
 * Who says which networks the services are in ("node": node/services/finder.ts, "kubernetes": daemon/cluster.ts). Which of them
 * has the word, ServiceSources decides (node/services/sources.ts); here the union of all is what counts.
 */
export type ServiceSource = 'config' | 'flag' | 'node' | 'kubernetes';

/** A network that was named and is not in use, with the reason. */
export type LeftOut = { readonly network: Cidr<Ipv4>; readonly problem: string };

/**
 * The node's service networks. Sources may change while pods run: a configuration that is read again, the Kubernetes API.
 */
export class ServiceNetworks {
  readonly #bySource = new Map<ServiceSource, readonly Cidr<Ipv4>[]>();
  readonly #listeners: ((networks: readonly Cidr<Ipv4>[]) => void)[] = [];
  #problemOf: (network: Cidr<Ipv4>) => string | undefined = () => undefined;
  #judged: () => void = () => undefined;
  #all: readonly Cidr<Ipv4>[] = [];
  #leftOut: readonly LeftOut[] = [];

  /** Those that are in use. */
  get all(): readonly Cidr<Ipv4>[] {
    return this.#all;
  }

  /** What one source says now, in place of what it said before. */
  set(source: ServiceSource, networks: readonly Cidr<Ipv4>[]): void {
    this.#bySource.set(source, networks);
    this.judge();
  }

  /** Those that are not in use, because they would take something else away. */
  get leftOut(): readonly LeftOut[] {
    return this.#leftOut;
  }

  /** `problemOf` says what speaks against a network now; undefined: nothing. `judged`: called after all were judged. */
  judgeBy(problemOf: (network: Cidr<Ipv4>) => string | undefined, judged: () => void): void {
    this.#problemOf = problemOf;
    this.#judged = judged;
  }

  /** What the networks are judged by has changed. */
  judge(): void {
    const before = textOf(this.#all);
    const judged = distinct([...this.#bySource.values()].flat()).map((network) => ({
      network,
      problem: this.#problemOf(network),
    }));
    this.#all = judged.filter(({ problem }) => problem === undefined).map(({ network }) => network);
    this.#leftOut = judged.flatMap(({ network, problem }) =>
      problem === undefined ? [] : [{ network, problem }],
    );
    this.#judged();
    if (textOf(this.#all) !== before) for (const listener of this.#listeners) listener(this.#all);
  }

  onChange(listener: (networks: readonly Cidr<Ipv4>[]) => void): void {
    this.#listeners.push(listener);
  }
}

/** Each network once, host bits cleared, in the order of their text. */
export function distinct(networks: readonly Cidr<Ipv4>[]): readonly Cidr<Ipv4>[] {
  const byText = new Map(networks.map((network) => [formatCidr(networkOf(network)), networkOf(network)]));
  return [...byText].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, network]) => network);
}

function textOf(networks: readonly Cidr<Ipv4>[]): string {
  return networks.map(formatCidr).join(' ');
}
