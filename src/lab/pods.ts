import { randomBytes } from 'node:crypto';
import type { Attachment, NetworkList } from './cni-conf.ts';
import type { Added, CniRuntime, Times } from './cni-runtime.ts';
import { namespaceName } from './names.ts';
import { Namespace } from './namespace.ts';
import type { Resources } from './resources.ts';

/** Container ids are 64 hex digits at most runtimes; the first of them are what people see. */
const CONTAINER_ID_BYTES = 32;
export const POD_INTERFACE = 'eth0';

/** A container without the container: its network namespace and its place on a network. */
export type Pod = {
  readonly name: string;
  readonly namespace: Namespace;
  readonly attachment: Attachment;
};

export type PodOptions = {
  readonly prefix: string;
  readonly resources: Resources;
  readonly containerId?: string;
  readonly ifName?: string;
  readonly args?: Readonly<Record<string, string>>;
};

export function newContainerId(): string {
  return randomBytes(CONTAINER_ID_BYTES).toString('hex');
}

/** Makes a pod's namespace, with nothing but a loopback interface in it. */
export async function createPod(name: string, options: PodOptions): Promise<Pod> {
  const namespace = await Namespace.create(namespaceName(options.prefix, name), options.resources);
  const attachment = {
    containerId: options.containerId ?? newContainerId(),
    netns: namespace.path,
    ifName: options.ifName ?? POD_INTERFACE,
    ...(options.args === undefined ? {} : { args: options.args }),
  };
  return { name, namespace, attachment };
}

export async function attachPod(runtime: CniRuntime, network: NetworkList, pod: Pod): Promise<Added> {
  return await runtime.add(network, pod.attachment);
}

export async function detachPod(runtime: CniRuntime, network: NetworkList, pod: Pod): Promise<Times> {
  return await runtime.del(network, pod.attachment);
}
