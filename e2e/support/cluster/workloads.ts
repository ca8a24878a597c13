// Objects of the test pods; their program is e2e/programs/who.

const IMAGE = 'localhost/who:1';
/** Where `who serve` listens. */
export const WHO_PORT = 8080;

type Extra = Readonly<Record<string, unknown>>;

/** A pod's template with probes by HTTP; `container` is merged over its one container, `spec` over the pod's specification. */
export function podTemplate(name: string, container: Extra = {}, spec: Extra = {}): object {
  const probe = { httpGet: { path: '/healthz', port: WHO_PORT }, periodSeconds: 1, timeoutSeconds: 2 };
  return {
    metadata: { labels: { app: name } },
    spec: {
      // `who` ends at once when it is told to.
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: 'who',
          image: IMAGE,
          args: ['serve'],
          ports: [{ containerPort: WHO_PORT }],
          readinessProbe: probe,
          livenessProbe: { ...probe, failureThreshold: 5 },
          ...container,
        },
      ],
      ...spec,
    },
  };
}

/** A pod by itself, on a node if one is named. */
export function pod(name: string, spec: Extra = {}, container: Extra = {}): object {
  const template = podTemplate(name, container, spec);
  return { apiVersion: 'v1', kind: 'Pod', ...merged(template, { name, namespace: 'default' }) };
}

function merged(template: object, metadata: Extra): object {
  const { metadata: labels, ...rest } = template as { readonly metadata: object };
  return { metadata: { ...labels, ...metadata }, ...rest };
}

/** One pod on each node as long as there are as many nodes as replicas. */
export function deployment(name: string, replicas: number, container: Extra = {}, spec: Extra = {}): object {
  const spread = {
    maxSkew: 1,
    topologyKey: 'kubernetes.io/hostname',
    whenUnsatisfiable: 'DoNotSchedule',
    // A node that is drained does not count.
    nodeTaintsPolicy: 'Honor',
    labelSelector: { matchLabels: { app: name } },
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'default' },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: podTemplate(name, container, { topologySpreadConstraints: [spread], ...spec }),
    },
  };
}

export function statefulSet(name: string, replicas: number, container: Extra = {}, spec: Extra = {}): object {
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name, namespace: 'default' },
    spec: {
      serviceName: name,
      replicas,
      podManagementPolicy: 'Parallel',
      selector: { matchLabels: { app: name } },
      template: podTemplate(name, container, spec),
    },
  };
}

/** A service of the pods labelled `app: NAME`, at port 80; `spec` is merged over its own. */
export function service(name: string, spec: Extra = {}): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { selector: { app: name }, ports: [{ port: 80, targetPort: WHO_PORT }], ...spec },
  };
}
