import { between, type Instant } from '../base/time.ts';
import type { ManagedLease } from '../lease/manager.ts';

/** A lease as the API shows it. */
export type LeaseView = {
  readonly containerId: string;
  readonly network: string;
  readonly ifname: string;
  readonly state: string;
  readonly mac: string;
  /** Null while there is none. */
  readonly address: string | null;
  readonly prefix: number | null;
  readonly routers: readonly string[];
  readonly server: string | null;
  /** Whole seconds; null for an infinite lease and for none. */
  readonly expiresInSeconds: number | null;
};

export interface LeaseSource {
  list(): readonly ManagedLease[];
  now(): Instant;
}

export function leaseViews(source: LeaseSource): readonly LeaseView[] {
  const now = source.now();
  return source.list().map(({ record, lease }) => ({
    ...record.key,
    state: record.state.kind,
    mac: record.link.mac,
    address: lease?.address.address ?? null,
    prefix: lease?.address.prefix ?? null,
    routers: lease?.routers ?? [],
    server: lease?.serverId ?? null,
    expiresInSeconds:
      lease?.times === undefined ? null : Math.round(between(now, lease.times.expiresAt) / 1000),
  }));
}
