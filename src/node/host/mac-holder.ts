import type { Mac } from '../../base/mac.ts';
import { isSysError } from '../../base/sys-error.ts';
import { type AttachmentRecord, attachmentText } from './record.ts';
import type { HostWorld } from './world.ts';

/** Which of these pods has given this MAC address to its interface; undefined: none of them, or it is gone already. */
export function whoHas(
  world: Pick<HostWorld, 'openPodSide'>,
  pods: readonly AttachmentRecord[],
  mac: Mac,
): string | undefined {
  const holder = pods.find((pod) => macOf(world, pod) === mac);
  return holder === undefined ? undefined : attachmentText(holder.key);
}

function macOf(
  { openPodSide }: Pick<HostWorld, 'openPodSide'>,
  { netns, key }: AttachmentRecord,
): Mac | undefined {
  try {
    const pod = openPodSide(netns.path);
    try {
      return pod.inode === netns.inode ? pod.peek(key.ifname)?.mac : undefined;
    } finally {
      pod.close();
    }
  } catch (error) {
    if (!isSysError(error)) throw error;
    return undefined;
  }
}
