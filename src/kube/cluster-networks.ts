import { type Duration, later, millis, seconds } from '../base/time.ts';
import { backoff } from './backoff.ts';
import type { KubeWorld } from './ports.ts';
import { Reflector } from './reflector.ts';
import { readConfigMap, readService, readServiceCidr } from './shapes.ts';
import { type ApiFailure, askWhole, type WholeAnswer } from './whole-answer.ts';

/** Kubernetes 1.33 and later. */
const NETWORKING = 'networking.k8s.io/v1';
const SERVICE_CIDRS = `/apis/${NETWORKING}/servicecidrs`;
/** What kubeadm was told (kubeadm.k8s.io, ClusterConfiguration, `networking.serviceSubnet`). */
const KUBEADM_CONFIG = '/api/v1/namespaces/kube-system/configmaps/kubeadm-config';
/** The API's own service: its address is the first of the service network. */
const API_SERVICE = '/api/v1/namespaces/default/services/kubernetes';
const NOT_FOUND = 404;
const FORBIDDEN = 403;
/** A cluster is upgraded, or a role is granted, while a daemon runs; by chance up to a fifth later. */
const ASK_AGAIN = seconds(600);

/** What the API says of the service networks. Texts are as they came: not parsed, but bounded. */
export type ClusterAnswer =
  | {
      readonly kind: 'networks';
      readonly networks: readonly NamedNetwork[];
      /** There may be more that is not shown to us. */
      readonly isPartial: boolean;
    }
  /** Only addresses in the network are known. */
  | { readonly kind: 'addresses'; readonly addresses: readonly string[]; readonly source: string };

export type NamedNetwork = {
  /** "10.96.0.0/12", or of IPv6. */
  readonly cidr: string;
  /** "ServiceCIDR kubernetes". */
  readonly source: string;
};

export type ClusterNetworksParts = {
  readonly world: KubeWorld;
  readonly answered: (answer: ClusterAnswer) => void;
  /** Why less is known than could be; undefined: it is over. */
  readonly problem: (why: string | undefined) => void;
};

type ServiceCidr = { readonly name: string; readonly cidrs: readonly string[]; readonly isUsed: boolean };

/**
 * Which networks a cluster's services are in, by its API: ServiceCIDR objects, which are watched; where the API has none,
 * or does not show them, kubeadm's configuration; else the address of the API's own service. Those two are asked for again
 * every ten minutes.
 */
export class ClusterNetworks {
  readonly #parts: ClusterNetworksParts;
  #stop: () => void = () => undefined;
  #failures = 0;

  constructor(parts: ClusterNetworksParts) {
    this.#parts = parts;
  }

  start(): void {
    const { world, answered, problem } = this.#parts;
    const reflector = new Reflector<ServiceCidr>({
      world,
      path: SERVICE_CIDRS,
      apiVersion: NETWORKING,
      kind: 'ServiceCIDR',
      read: serviceCidr,
      taken: (all) => {
        this.#failures = 0;
        const networks = all.filter(({ isUsed }) => isUsed).flatMap(networksOf);
        // A cluster has one from its first second on: whoever says otherwise is about to begin, or mistaken.
        if (networks.length === 0) return problem('the API has no ServiceCIDR that is ready');
        problem(undefined);
        answered({ kind: 'networks', networks, isPartial: false });
      },
      failed: (failure) => {
        if (failure.status !== NOT_FOUND && failure.status !== FORBIDDEN) return problem(failure.why);
        reflector.close();
        this.#askKubeadm(failure.status === FORBIDDEN);
      },
    });
    this.#stop = () => reflector.close();
    reflector.start();
  }

  close(): void {
    this.#stop();
  }

  /** `isForbidden`: there may be ServiceCIDR objects, and they are not shown to us. */
  #askKubeadm(isForbidden: boolean): void {
    this.#ask(KUBEADM_CONFIG, (answer) => {
      const text = answer.kind === 'json' ? readConfigMap(answer.body)?.data.ClusterConfiguration : undefined;
      const subnets = serviceSubnets(text ?? '');
      if (subnets.length === 0) return this.#askService(isForbidden);
      const source = 'ConfigMap kube-system/kubeadm-config networking.serviceSubnet';
      this.#done(isForbidden, {
        kind: 'networks',
        networks: subnets.map((cidr) => ({ cidr, source })),
        isPartial: isForbidden,
      });
    });
  }

  #askService(isForbidden: boolean): void {
    this.#ask(API_SERVICE, (answer) => {
      const service = answer.kind === 'json' ? readService(answer.body) : undefined;
      if (service === undefined) {
        const why = answer.kind === 'failed' ? answer.why : 'the answer is no Service';
        return this.#fail({ status: undefined, why: `${API_SERVICE}: ${why}`, retryAfter: undefined });
      }
      const { clusterIP, clusterIPs } = service.spec;
      const addresses = [
        ...new Set([...(clusterIP === undefined ? [] : [clusterIP]), ...(clusterIPs ?? [])]),
      ];
      this.#done(isForbidden, { kind: 'addresses', addresses, source: 'Service default/kubernetes' });
    });
  }

  /** What the API does not have, or not for us, is an answer; anything else that fails is tried again from the start. */
  #ask(path: string, take: (answer: WholeAnswer) => void): void {
    this.#stop = askWhole(this.#parts.world, path, (answer) => {
      if (answer.kind === 'failed' && answer.status !== NOT_FOUND && answer.status !== FORBIDDEN) {
        this.#fail({ ...answer, why: `${path}: ${answer.why}` });
      } else take(answer);
    });
  }

  #done(isForbidden: boolean, answer: ClusterAnswer): void {
    const { world, answered, problem } = this.#parts;
    this.#failures = 0;
    problem(
      isForbidden
        ? 'it does not let us list ServiceCIDR objects (docs/kubernetes.md has the role)'
        : undefined,
    );
    this.#again(millis(ASK_AGAIN * (1 + world.random() / 5)));
    answered(answer);
  }

  #fail({ why, retryAfter }: ApiFailure): void {
    this.#failures += 1;
    this.#again(
      millis(
        Math.max(backoff(this.#failures, this.#parts.world.random), Math.min(retryAfter ?? 0, ASK_AGAIN)),
      ),
    );
    this.#parts.problem(why);
  }

  #again(wait: Duration): void {
    const { clock, timers } = this.#parts.world;
    this.#stop = timers.at(later(clock.now(), wait), () => this.start());
  }
}

/**
 * Services have addresses of a ServiceCIDR that is ready, or says nothing of it, as the API server's allocator takes it; and
 * of one that is being deleted as long as it is there, for its finalizer waits for them.
 */
function serviceCidr(json: unknown): ServiceCidr | undefined {
  const object = readServiceCidr(json);
  if (object === undefined) return undefined;
  const { metadata, spec, status } = object;
  const ready = (status.conditions ?? []).find(({ type }) => type === 'Ready');
  const isLeaving = (metadata.deletionTimestamp ?? undefined) !== undefined;
  return {
    name: metadata.name,
    cidrs: spec.cidrs,
    isUsed: isLeaving || ready === undefined || ready.status === 'True',
  };
}

function networksOf({ name, cidrs }: ServiceCidr): readonly NamedNetwork[] {
  return cidrs.map((cidr) => ({ cidr, source: `ServiceCIDR ${name}` }));
}

/** `serviceSubnet: 10.96.0.0/12,fd00::/108` of kubeadm's YAML, quoted or not. */
function serviceSubnets(yaml: string): readonly string[] {
  const match = /^[ \t]+serviceSubnet:[ \t]*["']?([0-9a-fA-F.:/, ]{1,128})["']?[ \t]*$/m.exec(yaml);
  return (match?.[1] ?? '')
    .split(',')
    .flatMap((part) => (part.trim() === '' ? [] : [part.trim()]))
    .slice(0, 2);
}
