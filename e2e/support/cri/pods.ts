import type { ContainerConfig, Sandbox, SandboxConfig, SandboxStatus } from './cri.ts';
import { PAUSE, POD_IMAGE } from './pod-image.ts';
import type { Runtime } from './runtime.ts';

/** `shareProcessNamespace: false`, the default of a pod: each container sees its own processes only. */
const OWN_PROCESSES = { namespaceOptions: { pid: 'CONTAINER' } } as const;

/** What a kubelet says of a pod of this name. `attempt` counts the sandboxes that it had before. */
export function sandboxConfig(runtime: Runtime, name: string, attempt = 0): SandboxConfig {
  return {
    metadata: { name, uid: `uid-of-${name}`, namespace: 'default', attempt },
    hostname: name,
    logDirectory: `${runtime.space.folder}/pod-logs/${name}`,
    linux: { cgroupParent: runtime.podsCgroup, securityContext: OWN_PROCESSES },
  };
}

/** What a kubelet says of a container that waits until it is stopped. */
export function containerConfig(name: string): ContainerConfig {
  return {
    metadata: { name, attempt: 0 },
    image: { image: POD_IMAGE, userSpecifiedImage: POD_IMAGE },
    command: [PAUSE],
    logPath: `${name}.log`,
    linux: { securityContext: OWN_PROCESSES },
  };
}

/** Runs a pod's sandbox and asks what became of it. */
export async function runPod(runtime: Runtime, name: string, attempt = 0): Promise<SandboxStatus> {
  const id = await runtime.cri.runPodSandbox(sandboxConfig(runtime, name, attempt));
  return await runtime.cri.podSandboxStatus(id);
}

/** All of them at once; rejects when one fails. */
export async function runPods(runtime: Runtime, names: readonly string[]): Promise<readonly SandboxStatus[]> {
  return await Promise.all(names.map(async (name) => await runPod(runtime, name)));
}

/** Stops and removes them, all at once. */
export async function removePods(runtime: Runtime, pods: readonly Pick<Sandbox, 'id'>[]): Promise<void> {
  await Promise.all(pods.map(async ({ id }) => await runtime.cri.stopPodSandbox(id)));
  await Promise.all(pods.map(async ({ id }) => await runtime.cri.removePodSandbox(id)));
}

/** `pod-1`, `pod-2` and so on. */
export function podNames(count: number, prefix = 'pod'): readonly string[] {
  return Array.from({ length: count }, (_, at) => `${prefix}-${at + 1}`);
}
