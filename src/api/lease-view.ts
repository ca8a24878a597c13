import { fromHex } from '../base/bytes.ts';
import type { JsonObject } from '../base/json.ts';
import { between, type Instant } from '../base/time.ts';
import type { Debt } from '../lease/debts.ts';
import type { ManagedLease } from '../lease/manager.ts';
import { extraText } from '../protocol/dhcp4/extras.ts';
import type { LanSightings } from '../lease/server-sightings.ts';
import { heldBy } from '../protocol/dhcp4/state.ts';
import { shownIdentifier } from '../wire/dhcp4/client-identifier.ts';

/** A lease as the API shows it. */
export type LeaseView = {
  readonly containerId: string;
  readonly network: string;
  readonly ifname: string;
  /** The pod as the runtime names it; null where it names none. */
  readonly podNamespace: string | null;
  readonly podName: string | null;
  readonly state: string;
  readonly mac: string;
  /**
   * Option 61 as it is configured, as bytes with colons; `without` says where it is left out. Then all of it that is text,
   * and its IAID and DUID (RFC 4361). Null: there is none.
   */
  readonly clientId: string | null;
  readonly clientIdText: string | null;
  readonly iaid: string | null;
  readonly duid: string | null;
  /** Null while there is none. */
  readonly address: string | null;
  readonly prefix: number | null;
  readonly routers: readonly string[];
  readonly server: string | null;
  /** Options that the messages lack because the server answered only without them: "80 (rapid-commit)". */
  readonly without: readonly string[];
  /** Whole seconds; null for an infinite lease and for none. */
  readonly expiresInSeconds: number | null;
};

/** A RELEASE that a server has still to be told of. */
export type DebtView = {
  readonly containerId: string;
  readonly network: string;
  readonly ifname: string;
  readonly address: string | null;
  readonly server: string | null;
  /** The interface of the node by which the server is reached. */
  readonly lan: string | null;
  /** What the last try failed for, or why it is owed. */
  readonly why: string | null;
  readonly tries: number;
  /** Whole seconds; then the lease has ended by itself. */
  readonly givenUpInSeconds: number;
};

export interface LeaseSource {
  list(): readonly ManagedLease[];
  debts(): readonly Debt[];
  servers(): readonly LanSightings[];
  now(): Instant;
}

export function leaseViews(source: LeaseSource): readonly LeaseView[] {
  const now = source.now();
  return source.list().map(({ record, lease }) => ({
    ...record.key,
    podNamespace: record.pod?.namespace ?? null,
    podName: record.pod?.name ?? null,
    state: record.state.kind,
    mac: record.link.mac,
    ...identifierView(record.config.clientId),
    address: lease?.address.address ?? null,
    prefix: lease?.address.prefix ?? null,
    routers: lease?.routers ?? [],
    server: lease?.serverId ?? null,
    without: (lease?.leftOut ?? []).map(extraText),
    expiresInSeconds:
      lease?.times === undefined ? null : Math.round(between(now, lease.times.expiresAt) / 1000),
  }));
}

function identifierView(
  hex: string | undefined,
): Pick<LeaseView, 'clientId' | 'clientIdText' | 'iaid' | 'duid'> {
  const bytes = hex === undefined ? undefined : fromHex(hex);
  if (bytes === undefined) return { clientId: null, clientIdText: null, iaid: null, duid: null };
  const { clientId, text, iaid, duid } = shownIdentifier(bytes);
  return { clientId, clientIdText: text, iaid, duid };
}

export function debtViews(source: LeaseSource): readonly DebtView[] {
  const now = source.now();
  return source.debts().map(({ record, until, tries, why }) => {
    const held = heldBy(record.state);
    return {
      ...record.key,
      address: held?.address.address ?? null,
      server: held?.serverId ?? null,
      lan: record.lan?.name ?? null,
      why: why ?? null,
      tries,
      givenUpInSeconds: Math.round(between(now, until) / 1000),
    };
  });
}

/** `GET /v1/servers`: which DHCP servers pods have heard, in milliseconds ago; null: not since the daemon runs. */
export function serverViews(source: LeaseSource): JsonObject {
  return {
    lans: source.servers().map(({ lan, servers, renewalUnanswered }) => ({
      lan,
      servers: servers.map(({ server, offer, ack, nak }) => ({
        server,
        offerMs: offer ?? null,
        ackMs: ack ?? null,
        nakMs: nak ?? null,
      })),
      renewalUnansweredMs: renewalUnanswered ?? null,
    })),
  };
}
