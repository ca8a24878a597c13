import { CniPluginError } from '../cni-exec.ts';
import { attachPod, createPod } from '../pods.ts';
import { Resources } from '../resources.ts';
import { GUEST, type BreakSite } from './break.ts';

/**
 * Attaches one more pod, which goes again at once. Gives what its runtime is told, which is what `kubectl describe pod`
 * shows; undefined when it was attached.
 */
export async function tryGuest(site: BreakSite): Promise<CniPluginError | undefined> {
  await using resources = new Resources();
  const pod = await createPod(GUEST, { prefix: site.lab.prefix, resources });
  try {
    await attachPod(site.lab.runtime, site.lab.network, pod);
    return undefined;
  } catch (error) {
    if (error instanceof CniPluginError) return error;
    throw error;
  }
}

export function sayRefusal(site: BreakSite, { msg, details }: CniPluginError): void {
  site.say(`  ${msg}`);
  if (details !== '') site.say(`  ${details}`);
}
