import type { SysError } from '../base/sys-error.ts';
import type { LeaseManager } from '../lease/manager.ts';
import type { PodExtras } from '../protocol/dhcp4/extras.ts';
import type { HostSide } from '../node/host/host-side.ts';
import type { UplinkSource } from '../node/ports.ts';
import type { DhcpKeys } from './dhcp/keys.ts';
import type { MacPolicy } from './identity/pod-mac.ts';
import type { IdentityScope } from './identity/subject.ts';
import type { KeyedOperations } from './keyed.ts';
import type { Pod, RunDelegate } from './ports.ts';
import type { NetConf } from './spec/conf.ts';
import type { AttachmentEnv, DelEnv, NodeEnv } from './spec/env.ts';
import type { CniResult } from './spec/result.ts';

/** What every plugin type works with. */
export interface PluginServices {
  readonly leases: LeaseManager;
  readonly operations: KeyedOperations;
  /** The node's own namespace. */
  readonly host: UplinkSource & { readonly inode: string };
  /** Throws SysError ENOENT, or ENOTNS for a path that is no network namespace. */
  openPod(path: string): Pod & UplinkSource;
  /** The node's part of a pod: how the two reach each other, and the pod its services. */
  readonly hostSide: Pick<
    HostSide,
    'begin' | 'ended' | 'attach' | 'detach' | 'depart' | 'attachmentsOf' | 'has' | 'problemsOf'
  >;
  readonly runDelegate: RunDelegate;
  /** What the operator set for every DHCP client. */
  readonly dhcp: DhcpSettings;
  /** Where leases are kept. */
  readonly store: {
    /** Undefined when a lease could be stored now. */
    writable(): Promise<SysError | undefined>;
  };
  /**
   * Why nobody answers on a LAN: a sentence of cause and one of remedy. At most two seconds, and shared between callers;
   * undefined when nothing was found. `asked`: what the messages carried that were not answered. Never rejects.
   */
  readonly diagnose?: (
    lan: { readonly index: number; readonly name: string },
    asked?: PodExtras,
  ) => Promise<string | undefined>;
  /** Why the node's part of a pod cannot be done by the daemon as it runs, with what to do; undefined where it can. */
  readonly unfit?: () => string | undefined;
  readonly log: { warn(fields: object, message: string): void };
  /** Adds one to a counter. */
  count(event: string): void;
}

export type DhcpSettings = {
  /** Stands in for what a network's configuration does not say. */
  readonly defaults: DhcpKeys;
  /** Of links whose configuration states none: the kernel's random MAC, or the pod's own. */
  readonly mac: MacPolicy;
  readonly identity: IdentityScope;
};

/** One request, decoded. */
export interface Call<E> {
  readonly env: E;
  readonly conf: NetConf;
  /** Aborts when the caller no longer waits. */
  readonly hangUp: AbortSignal;
  /** The request as it came, for delegation. */
  readonly environment: Readonly<Record<string, string>>;
  readonly stdin: Uint8Array;
}

export type AddCall = Call<AttachmentEnv>;
export type CheckCall = Call<AttachmentEnv>;
export type DelCall = Call<DelEnv>;
export type NodeCall = Call<NodeEnv>;

/** One plugin type: the verbs of the CNI specification. Errors are thrown as CniError. */
export interface Plugin {
  add(call: AddCall): Promise<CniResult>;
  del(call: DelCall): Promise<void>;
  check(call: CheckCall): Promise<void>;
  gc(call: NodeCall): Promise<void>;
  status(call: NodeCall): Promise<void>;
}
