import { isSysError } from '../base/sys-error.ts';
import { leaseOf } from '../protocol/dhcp4/state.ts';
import { openPodOf } from './pod-of-lease.ts';
import type { LeaseWorld, LinkSight } from './ports.ts';
import type { LeaseRecord } from './record.ts';

/** What has become of the place that a lease was for. */
export type Whereabouts =
  | { readonly kind: 'there'; readonly link: LinkSight }
  /** The daemon does not see the namespaces of the pods: nothing is known, so nothing is done. */
  | { readonly kind: 'unseen'; readonly why: string }
  | { readonly kind: 'rebooted' }
  | { readonly kind: 'namespace-gone' }
  | { readonly kind: 'link-gone' };

/**
 * Looks whether the namespace (by inode: paths are used again) and the interface of a lease are there, and whether the
 * interface has the leased address. At once, without waiting for the kernel's lock.
 */
export function locate(
  world: Pick<LeaseWorld, 'clock' | 'openPod' | 'namespaceAt'>,
  record: LeaseRecord,
): Whereabouts {
  if (record.bootId !== world.clock.bootId) return { kind: 'rebooted' };
  const at = world.namespaceAt(record.netns.path);
  if (at.kind === 'unseen') return at;
  if (at.kind === 'gone' || at.inode !== record.netns.inode) return { kind: 'namespace-gone' };
  try {
    const pod = openPodOf(world, record);
    try {
      const link = pod.sight(record.link.index, leaseOf(record.state)?.address.address);
      return link === undefined ? { kind: 'link-gone' } : { kind: 'there', link };
    } finally {
      pod.close();
    }
  } catch (error) {
    // It went between the two looks, or cannot be entered: the next look will tell.
    if (isSysError(error)) return { kind: 'unseen', why: error.message };
    throw error;
  }
}
