import * as fc from 'fast-check';
import { NO_ARGS } from '../../../src/cni/spec/args.ts';
import type { Attached, IdentityScope } from '../../../src/cni/identity/subject.ts';

export const SCOPE: IdentityScope = { cluster: '', key: '', node: 'n1' };

/** What a plugin is called with for this pod. */
export function attachedAs(
  args: Readonly<Record<string, string>>,
  options: { readonly containerId?: string; readonly ifname?: string } = {},
): Attached {
  return {
    args: { ...NO_ARGS, values: new Map(Object.entries(args)) },
    containerId: options.containerId ?? 'c1',
    ifname: options.ifname ?? 'eth0',
  };
}

export function attachedPod(namespace: string, name: string, containerId = 'c1'): Attached {
  return attachedAs({ K8S_POD_NAMESPACE: namespace, K8S_POD_NAME: name }, { containerId });
}

const name = fc.string({ minLength: 1, maxLength: 40 });

export const scopes: fc.Arbitrary<IdentityScope> = fc.record({
  cluster: fc.string({ maxLength: 20 }),
  key: fc.string({ maxLength: 20 }),
  node: name,
});

export const attachments: fc.Arbitrary<Attached> = fc
  .record({
    pod: fc.option(name),
    namespace: fc.option(name),
    containerId: name,
    ifname: fc.string({ minLength: 1, maxLength: 15 }),
  })
  .map(({ pod, namespace, ...rest }) =>
    attachedAs(
      {
        ...(pod === null ? {} : { K8S_POD_NAME: pod }),
        ...(namespace === null ? {} : { K8S_POD_NAMESPACE: namespace }),
      },
      rest,
    ),
  );
