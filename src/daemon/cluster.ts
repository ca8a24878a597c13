import { cidrContains, formatCidr } from '../base/cidr.ts';
import { isIpv4, parseIp } from '../base/ip.ts';
import type { Ipv4 } from '../base/ipv4.ts';
import { err, type Result } from '../base/result.ts';
import { isSysError } from '../base/sys-error.ts';
import { type Instant, later, seconds } from '../base/time.ts';
import { openApi } from '../kernel/kube-api.ts';
import { type ClusterAnswer, ClusterNetworks } from '../kube/cluster-networks.ts';
import { Endpoints } from '../kube/endpoints.ts';
import { networkAround } from '../node/services/addresses.ts';
import type { ClusterStatus } from '../node/services/cluster-status.ts';
import { type Kubelet, kubeletOf } from '../node/services/distribution.ts';
import {
  asGuess,
  type FoundServiceNetwork,
  isGuess,
  MOST_NETWORKS,
  networksIn,
} from '../node/services/found.ts';
import type { ClusterPlaces } from '../node/services/places.ts';
import type { ApiServer, ClusterFacts } from '../node/services/ports.ts';
import type { ServiceSources } from '../node/services/sources.ts';
import type { KeptNetworks } from './service-memory.ts';

/** A start waits so long for a first answer, where none is remembered: pods that run shall not lose their services. */
const FIRST_PATIENCE = seconds(3);

type Fields = Readonly<Record<string, unknown>>;

export type ClusterParts = {
  /** What it said last, in an earlier run. */
  readonly kept: KeptNetworks;
  readonly facts: ClusterFacts;
  readonly places: ClusterPlaces;
  /** Before each request. */
  readonly asking: () => void;
  readonly servers: () => Result<readonly ApiServer[], string> | undefined;
  readonly sources: ServiceSources;
  /** The API is sure of something else than before: the node's own files may count again, or no more. */
  readonly changed: () => void;
  readonly clock: { now(): Instant };
  readonly timers: { at(at: Instant, callback: () => void): () => void };
  readonly random: () => number;
  readonly log: {
    info(fields: Fields, message: string): void;
    warn(fields: Fields, message: string): void;
  };
  readonly count: (event: string) => void;
};

/**
 * The service networks by the Kubernetes API. What it said last is kept on the disk, so that a node that boots without
 * it serves its pods, and stays in use while the API is away.
 */
export class Cluster {
  readonly #parts: ClusterParts;
  readonly #first = Promise.withResolvers<void>();
  #client: ClusterNetworks | undefined;
  #server: string | undefined;
  #problem: string | undefined;
  /** What it said last, in this run or an earlier one. */
  #known: readonly FoundServiceNetwork[] = [];

  /** With what an earlier run was told. */
  constructor(parts: ClusterParts) {
    this.#parts = parts;
    this.#known = parts.kept.read();
    parts.sources.set('kubernetes', this.#known);
  }

  /** Settles with the first answer or failure, at once where an answer is remembered, else after 3 s at most. */
  async start(): Promise<void> {
    this.restated();
    if (this.#client === undefined || this.#known.length > 0) return;
    const { clock, timers } = this.#parts;
    const cancel = timers.at(later(clock.now(), FIRST_PATIENCE), () => this.#first.resolve());
    await this.#first.promise;
    cancel();
  }

  /** What is stated may have changed: where something is, the API is not asked. */
  restated(): void {
    const { sources } = this.#parts;
    if (sources.isStated) {
      this.close();
      this.#problem = undefined;
    } else if (this.#client === undefined) {
      this.#client = this.#newClient();
      this.#client.start();
    }
  }

  get status(): ClusterStatus {
    return { server: this.#server, problem: this.#problem };
  }

  close(): void {
    this.#client?.close();
    this.#client = undefined;
  }

  #newClient(): ClusterNetworks {
    const { asking, servers, clock, timers, random } = this.#parts;
    const endpoints = new Endpoints<ApiServer>({
      servers: () => {
        asking();
        return servers() ?? err('the service account of this pod is gone');
      },
      nameOf: ({ url }) => url,
      open: openApi,
      answered: (server) => (this.#server = server),
      clock,
      timers,
    });
    return new ClusterNetworks({
      world: { open: endpoints.open, clock, timers, random },
      answered: (answer) => this.#take(this.#networksOf(answer)),
      problem: (why) => this.#tell(why),
    });
  }

  #networksOf(answer: ClusterAnswer): readonly FoundServiceNetwork[] {
    const by = (source: string): string => `${source}, by the Kubernetes API at ${this.#server ?? ''}`;
    if (answer.kind === 'networks') {
      const networks = answer.networks.flatMap(({ cidr, source }) => networksIn(cidr, by(source)));
      const isKnown = answer.isPartial && this.#covers(networks.map(({ network }) => network.address));
      return isKnown ? this.#known : networks;
    }
    const { facts, places } = this.#parts;
    const known = answer.addresses.flatMap((text) => {
      const address = parseIp(text);
      return address !== undefined && isIpv4(address) ? [{ address, source: by(answer.source) }] : [];
    });
    if (this.#covers(known.map(({ address }) => address))) return this.#known;
    return networkAround(kubeletOf(facts, places) ?? SOME_CLUSTER, known).map(asGuess);
  }

  /** A role that was taken away makes nobody know less: what was named before, by more than a guess, has all of these. */
  #covers(addresses: readonly Ipv4[]): boolean {
    const sure = this.#known.filter((one) => !isGuess(one));
    return (
      addresses.length > 0 &&
      addresses.every((address) => sure.some(({ network }) => cidrContains(network, address)))
    );
  }

  #take(found: readonly FoundServiceNetwork[]): void {
    const { sources, changed, log } = this.#parts;
    this.#first.resolve();
    if (found.length === 0) return this.#tell('the API names no IPv4 network of services');
    if (found.length > MOST_NETWORKS) {
      this.#tell(`the API names ${found.length} networks of services; the first ${MOST_NETWORKS} are used`);
    }
    const isNews = textOf(found) !== textOf(this.#known);
    this.#known = found;
    sources.set('kubernetes', found);
    if (!isNews) return;
    const fields = {
      networks: found.map(({ network }) => formatCidr(network)),
      sources: found.map(({ source }) => source),
    };
    if (found.some(isGuess)) {
      log.warn(fields, 'the service network by the Kubernetes API is a guess: state it with --service-cidr');
    } else log.info(fields, 'the Kubernetes API says the service networks');
    changed();
    this.#keep(found);
  }

  #keep(found: readonly FoundServiceNetwork[]): void {
    const { kept, count, log } = this.#parts;
    try {
      kept.keep(found);
    } catch (error) {
      if (!isSysError(error)) throw error;
      count('cluster-store-failed');
      log.warn({ error: error.message }, 'what the Kubernetes API says cannot be kept for the next start');
    }
  }

  #tell(problem: string | undefined): void {
    const { log, count } = this.#parts;
    if (problem !== undefined) {
      this.#first.resolve();
      count('kubernetes-api-failed');
    }
    if (problem === this.#problem) return;
    this.#problem = problem;
    if (problem === undefined) log.info({ server: this.#server }, 'the Kubernetes API answers');
    else {
      log.warn(
        { problem },
        'the Kubernetes API does not say the service networks; what is known stays in use',
      );
    }
  }
}

function textOf(found: readonly FoundServiceNetwork[]): string {
  return found
    .map(({ network, source, inferred = '' }) => `${formatCidr(network)} ${inferred} ${source}`)
    .join('\n');
}

/** What kubeadm, k0s and Talos have by default is the likeliest where nothing shows how the cluster was made. */
const SOME_CLUSTER: Kubelet = { seen: 'the Kubernetes API', distribution: 'kubeadm', process: undefined };
