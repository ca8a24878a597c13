import { isSysError, SysError } from '../base/sys-error.ts';
import { heldBy } from '../protocol/dhcp4/state.ts';
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
  const pod = world.openPod(netns.path, netns.inode);
  if (pod.inode === netns.inode) return pod;
  pod.close();
  throw new SysError(op, 'ENOENT', 'the pod is gone, another namespace is there');
}

/** Whether another namespace, or none, is where this one was; false where that cannot be seen. */
export function isPodGone(
  world: Pick<LeaseWorld, 'namespaceAt'>,
  { netns }: Pick<LeaseRecord, 'netns'>,
): boolean {
  const at = world.namespaceAt(netns.path);
  return at.kind === 'gone' || (at.kind === 'namespace' && at.inode !== netns.inode);
}

/** A link that goes takes its address and routes along, but not the rule of the address, which is the namespace's. */
export async function dropRule(
  pod: PodNamespace,
  { apply, state, link }: Pick<LeaseRecord, 'apply' | 'state' | 'link'>,
): Promise<void> {
  const held = heldBy(state);
  if (apply.table === undefined || held === undefined) return;
  try {
    await pod.removeAddress(link.index, held.address);
  } catch (error) {
    // Then a rule stays for an address that nobody has: it does nothing.
    if (!isSysError(error)) throw error;
  }
}
