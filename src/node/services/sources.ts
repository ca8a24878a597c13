import { type Cidr, formatCidr } from '../../base/cidr.ts';
import type { Ipv4 } from '../../base/ipv4.ts';
import { SERVICE_PREFIX_MIN } from '../host/node-lan.ts';
import type { ServiceNetworks, ServiceSource } from '../host/service-networks.ts';
import { eachOnce, type FoundServiceNetwork, isGuess } from './found.ts';

/** Who finds networks, as against those who state them. */
export type FindingSource = Extract<ServiceSource, 'node' | 'kubernetes'>;

const FINDERS: readonly FindingSource[] = ['kubernetes', 'node'];

/**
 * Of all that say where the cluster's services are, the surest: what a person stated, in the file and by flags together; else
 * the Kubernetes API; else the node's own files. Of the finders one counts at a time, a guess only where nobody is sure.
 */
export class ServiceSources {
  readonly #networks: Pick<ServiceNetworks, 'set'>;
  readonly #found: Record<FindingSource, readonly FoundServiceNetwork[]> = { node: [], kubernetes: [] };
  readonly #handed: Record<FindingSource, string> = { node: '', kubernetes: '' };
  #stated: readonly FoundServiceNetwork[] = [];

  constructor(networks: Pick<ServiceNetworks, 'set'>) {
    this.#networks = networks;
  }

  state(source: 'config' | 'flag', networks: readonly Cidr<Ipv4>[]): void {
    const said = source === 'flag' ? '--service-cidr' : 'the file of --config';
    const others = this.#stated.filter((one) => one.source !== said);
    this.#stated = [...others, ...networks.map((network) => ({ network, source: said }))];
    this.#networks.set(source, networks);
    this.#choose();
  }

  /** What a finder says now, in place of what it said before. */
  set(source: FindingSource, found: readonly FoundServiceNetwork[]): void {
    // As large as the configuration lets one be: anything above is no service network, whoever says so.
    this.#found[source] = eachOnce(found.filter(({ network }) => network.prefix >= SERVICE_PREFIX_MIN));
    this.#choose();
  }

  get isStated(): boolean {
    return this.#stated.length > 0;
  }

  /** Nothing that the node's files say would count. */
  get isSettled(): boolean {
    return this.isStated || isSure(this.#found.kubernetes);
  }

  /** Those that count, and who says so. */
  get list(): readonly FoundServiceNetwork[] {
    if (this.isStated) return eachOnce(this.#stated);
    const first = this.#first();
    return first === undefined ? [] : this.#found[first];
  }

  #first(): FindingSource | undefined {
    const there = FINDERS.filter((source) => this.#found[source].length > 0);
    return there.find((source) => isSure(this.#found[source])) ?? there[0];
  }

  #choose(): void {
    const first = this.isStated ? undefined : this.#first();
    // What comes before what goes: a network that both name shall not be gone in between.
    const order = FINDERS.toSorted((a, b) => Number(b === first) - Number(a === first));
    for (const source of order) {
      const networks = (source === first ? this.#found[source] : []).map(({ network }) => network);
      const text = networks.map(formatCidr).join(' ');
      // Each call has all networks judged anew.
      if (text === this.#handed[source]) continue;
      this.#handed[source] = text;
      this.#networks.set(source, networks);
    }
  }
}

function isSure(found: readonly FoundServiceNetwork[]): boolean {
  return found.length > 0 && !found.some(isGuess);
}
