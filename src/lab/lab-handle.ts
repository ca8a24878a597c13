import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseCidr, type Cidr } from '../base/cidr.ts';
import { ResultCache } from './cni-cache.ts';
import { loadNetworkList, type NetworkList } from './cni-conf.ts';
import { CniRuntime } from './cni-runtime.ts';
import { pathsOf, folderOf, writePod, type LabPaths, type LabState, type PodState } from './lab-state.ts';
import { Namespace } from './namespace.ts';
import { namespaceName } from './names.ts';
import { attachPod, createPod, detachPod, POD_INTERFACE, type Pod } from './pods.ts';
import type { Resources } from './resources.ts';

/** Names that are taken at home already. */
const HOSTS = ['router', 'node', 'laptop'] as const;
const POD_NAME = /^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/;

/** A lab that is up, with what is needed to attach to it. */
export type LabHandle = {
  readonly id: string;
  readonly prefix: string;
  readonly paths: LabPaths;
  readonly routerAddress: Cidr;
  readonly runtime: CniRuntime;
  readonly network: NetworkList;
};

/** From a lab's state, in this or a later process. */
export async function openLab(
  state: Pick<LabState, 'id' | 'prefix' | 'binDir' | 'routerAddress'>,
  signal?: AbortSignal,
): Promise<LabHandle> {
  const paths = pathsOf(folderOf(state.id));
  const routerAddress = parseCidr(state.routerAddress);
  if (routerAddress === undefined) throw new Error(`lab ${state.id}: no router address in its state`);
  const runtime = new CniRuntime({
    place: hostNamespace(state.prefix, 'node'),
    binDirs: [state.binDir],
    cache: await ResultCache.inFolder(paths.cache),
    env: { LEASEHOLD_SOCKET: paths.socket },
    signal,
  });
  const network = await loadNetworkList(paths.conflist);
  return { id: state.id, prefix: state.prefix, paths, routerAddress, runtime, network };
}

export function hostNamespace(prefix: string, host: string): Namespace {
  return new Namespace(namespaceName(prefix, host));
}

/** Why a pod cannot have this name, or undefined. */
export function podNameProblem(name: string): string | undefined {
  if ((HOSTS as readonly string[]).includes(name)) return `${name} is a machine of the lab`;
  return POD_NAME.test(name) ? undefined : 'a pod\'s name is up to 32 small letters, digits and "-"';
}

export function podOf(lab: LabHandle, pod: PodState): Pod {
  const namespace = hostNamespace(lab.prefix, pod.name);
  const attachment = { containerId: pod.containerId, netns: namespace.path, ifName: POD_INTERFACE };
  return { name: pod.name, namespace, attachment };
}

/** Makes a pod and attaches it; when that fails nothing of the pod is left. */
export async function attachToLab(lab: LabHandle, name: string, resources: Resources): Promise<PodState> {
  const pod = await createPod(name, { prefix: lab.prefix, resources });
  const { containerId } = pod.attachment;
  writePod(lab.paths, { name, containerId });
  try {
    const added = await attachPod(lab.runtime, lab.network, pod);
    const state = { name, containerId, addMs: added.ms };
    writePod(lab.paths, state);
    return state;
  } catch (error) {
    await forgetPod(lab, name);
    throw error;
  }
}

async function forgetPod(lab: LabHandle, name: string): Promise<void> {
  await rm(join(lab.paths.pods, `${name}.json`), { force: true });
}

/** DEL; the namespace is the caller's to remove. Gives the milliseconds it took. */
export async function detachFromLab(lab: LabHandle, pod: PodState): Promise<number> {
  const { ms } = await detachPod(lab.runtime, lab.network, podOf(lab, pod));
  await forgetPod(lab, pod.name);
  return ms;
}
