import { isSysError } from '../../base/sys-error.ts';
import type { PluginServices } from '../context.ts';
import type { Pod } from '../ports.ts';
import { CniError } from '../spec/errors.ts';
import { namespaceError } from './failures.ts';

/** Opens the container's namespace; throws CniError 3 or 104. The node's own is refused: its links are not a pod's. */
export function openPod(
  services: PluginServices,
  env: { readonly netns: string; readonly netnsOverride: boolean },
): ReturnType<PluginServices['openPod']> {
  let pod: ReturnType<PluginServices['openPod']>;
  try {
    pod = services.openPod(env.netns);
  } catch (error) {
    throw namespaceError(error, env.netns);
  }
  if (pod.inode === services.host.inode && !env.netnsOverride) {
    pod.close();
    throw new CniError('not-a-namespace', `CNI_NETNS: ${env.netns} is the node's own network namespace`);
  }
  return pod;
}

/** The routes of an interface in all tables; of the main one where a pod made more than anybody should read. */
export async function routesEverywhere(pod: Pod, index: number): ReturnType<Pod['allRoutes']> {
  try {
    return await pod.allRoutes(index);
  } catch (error) {
    if (isSysError(error, 'E2BIG')) return pod.routes(index);
    throw error;
  }
}
