import type { AcquireRequest } from './manager.ts';
import { type LeaseIdentity, RECORD_SCHEMA } from './record.ts';

/** What does not change in the life of a lease that is asked for now. */
export function identityOf(request: AcquireRequest, bootId: string): LeaseIdentity {
  const { key, netnsPath, pod, link, owned, made, uplinkIndex, lan, apply, conflictCheck } = request;
  // Without a tap a unicast answer to an address that nobody has yet would reach nobody.
  const broadcast = uplinkIndex === undefined ? 'always' : request.client.broadcast;
  return {
    schema: RECORD_SCHEMA,
    key,
    bootId,
    netns: { path: netnsPath, inode: pod.inode },
    link: { index: link.index, mac: link.mac, owned, made },
    uplinkIndex,
    lan,
    apply,
    conflictCheck,
    remember: request.remember ?? false,
    owner: 'pod',
    config: { ...request.client, broadcast, chaddr: link.mac },
  };
}

/** Whether a request is for the interface of this lease: of the same namespace, in this boot. */
export function isSamePlace(
  { netns, link, bootId }: LeaseIdentity,
  request: AcquireRequest,
  now: string,
): boolean {
  return (
    bootId === now &&
    netns.inode === request.pod.inode &&
    link.index === request.link.index &&
    link.mac === request.link.mac
  );
}
