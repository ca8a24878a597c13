import { type Cidr, formatCidr, networkOf } from '../../base/cidr.ts';
import type { Ipv4 } from '../../base/ipv4.ts';

/** Who says which networks the services are in; the union of all is what counts. */
export type ServiceSource = 'config' | 'flag' | 'kubernetes';

/**
 * The node's service networks. Sources may change while pods run: a configuration that is read again, later the
 * Kubernetes API.
 */
export class ServiceNetworks {
  readonly #bySource = new Map<ServiceSource, readonly Cidr<Ipv4>[]>();
  readonly #listeners: ((networks: readonly Cidr<Ipv4>[]) => void)[] = [];
  #all: readonly Cidr<Ipv4>[] = [];

  get all(): readonly Cidr<Ipv4>[] {
    return this.#all;
  }

  /** What one source says now, in place of what it said before. */
  set(source: ServiceSource, networks: readonly Cidr<Ipv4>[]): void {
    this.#bySource.set(source, networks);
    const before = textOf(this.#all);
    this.#all = distinct([...this.#bySource.values()].flat());
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
