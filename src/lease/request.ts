import type { Mac } from '../base/mac.ts';
import type { Dhcp4Config } from '../protocol/dhcp4/state.ts';
import type { LeaseWorld, LinkState, PodNamespace } from './ports.ts';
import {
  type ApplyPolicy,
  type ConflictCheck,
  type LeaseIdentity,
  type LeaseKey,
  type LinkMade,
  type NamedPod,
  RECORD_SCHEMA,
} from './record.ts';

export type AcquireRequest = {
  readonly key: LeaseKey;
  readonly netnsPath: string;
  readonly pod: PodNamespace;
  /** Whose namespace that is. */
  readonly podName?: NamedPod | undefined;
  /** The interface that asks; it is up. */
  readonly link: LinkState & { readonly mac: Mac };
  /** The daemon made the link. */
  readonly owned: boolean;
  /** What it was made of, where it shall be made again when its uplink comes back. */
  readonly made?: LinkMade | undefined;
  /** The uplink whose tap hears the answers; undefined where the interface is no child of one. */
  readonly uplinkIndex: number | undefined;
  /** The interface of the daemon's namespace through which this LAN is reached, where there is one. */
  readonly lan: { readonly index: number; readonly name: string } | undefined;
  readonly client: Omit<Dhcp4Config, 'chaddr'>;
  readonly apply: ApplyPolicy;
  readonly conflictCheck: ConflictCheck;
  /** The client may come back as the same one, and is to have its old address then. */
  readonly remember?: boolean | undefined;
};

/** What does not change in the life of a lease that is asked for now. */
export function identityOf(
  request: AcquireRequest,
  { clock, hmacMd5 }: Pick<LeaseWorld, 'clock' | 'hmacMd5'>,
): LeaseIdentity {
  const { key, netnsPath, pod, podName, link, owned, made, uplinkIndex, lan, apply, conflictCheck } = request;
  // Without a tap a unicast answer to an address that nobody has yet would reach nobody.
  const broadcast = uplinkIndex === undefined ? 'always' : request.client.broadcast;
  // Nor would a FORCERENEW be heard, which comes when no exchange is under way. Who could not obey one offers nothing.
  const isHeard = uplinkIndex !== undefined && hmacMd5 !== undefined;
  const forceRenew = request.client.forceRenew === true && isHeard;
  return {
    schema: RECORD_SCHEMA,
    key,
    bootId: clock.bootId,
    pod: podName,
    netns: { path: netnsPath, inode: pod.inode },
    link: { index: link.index, mac: link.mac, owned, made },
    uplinkIndex,
    lan,
    apply,
    conflictCheck,
    remember: request.remember ?? false,
    owner: 'pod',
    config: { ...request.client, broadcast, forceRenew, chaddr: link.mac, mtu: link.mtu },
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
