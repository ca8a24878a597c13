import { type CniArgs, podOf } from '../spec/args.ts';

/** What the identities of this node are derived from. */
export type IdentityScope = {
  /** Keeps two clusters on one LAN apart. Empty: there is only one. */
  readonly cluster: string;
  /** Of the keyed hash. The same on all nodes, or a pod that moves is somebody else. */
  readonly key: string;
  readonly node: string;
};

/** Whose identity it is: the pod that comes back under its name, or this one container. */
export type Subject =
  /** `within`: the namespace, or "@" and the node where names are unique on one node only. */
  | { readonly kind: 'pod'; readonly within: string; readonly name: string }
  | { readonly kind: 'container'; readonly id: string };

/** What every plugin call says of its attachment. */
export type Attached = { readonly args: CniArgs; readonly containerId: string; readonly ifname: string };

/** No namespace of Kubernetes begins with it (RFC 1123 labels). */
const NODE_MARK = '@';

/** The pod, where the runtime names one (CNI_ARGS), else the container. */
export function subjectOf({ args, containerId }: Attached, scope: IdentityScope): Subject {
  const pod = podOf(args);
  if (pod === undefined) return { kind: 'container', id: containerId };
  return { kind: 'pod', within: pod.namespace ?? NODE_MARK + scope.node, name: pod.name };
}
