import { SysError } from '../base/sys-error.ts';
import type { LeaseWorld, PodNamespace } from './ports.ts';
import type { LeaseRecord } from './record.ts';

/**
 * The namespace that a lease belongs to, and no other: paths are used again, and inodes after a reboot. Throws
 * SysError ENOENT when it is gone, or another one is there now. The caller closes it.
 */
export function openPodOf(
  world: Pick<LeaseWorld, 'openPod' | 'clock'>,
  { bootId, netns }: Pick<LeaseRecord, 'bootId' | 'netns'>,
): PodNamespace {
  const op = `open ${netns.path}`;
  if (bootId !== world.clock.bootId) throw new SysError(op, 'ENOENT', 'the lease is from before a reboot');
  const pod = world.openPod(netns.path);
  if (pod.inode === netns.inode) return pod;
  pod.close();
  throw new SysError(op, 'ENOENT', 'the pod is gone, another namespace is there');
}
