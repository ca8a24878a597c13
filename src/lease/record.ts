import * as v from 'valibot';
import type { Cidr } from '../base/cidr.ts';
import { parseIpv4, type Ipv4 } from '../base/ipv4.ts';
import type { Json } from '../base/json.ts';
import { parseMac, type Mac } from '../base/mac.ts';
import { err, ok, type Result } from '../base/result.ts';
import { instant, type Instant } from '../base/time.ts';
import type { Dhcp4Config, Dhcp4State } from '../protocol/dhcp4/state.ts';

/** Names one attachment: what the CNI specification makes unique. */
export type LeaseKey = {
  readonly containerId: string;
  readonly network: string;
  readonly ifname: string;
};

/** `containerID/network/ifname`: also the text of the default client identifier (as the Go plugin forms it). */
export function keyText(key: LeaseKey): string {
  return `${key.containerId}/${key.network}/${key.ifname}`;
}

/** Bumped when a stored record can no longer be read by older code; a record of the future is left alone. */
export const RECORD_SCHEMA = 1;

/** Each change of address leaves at most one, and the next look at the pod removes them. */
export const MOST_LEFTOVERS = 16;

/**
 * What becomes of the routes: `all` that the lease has; `subnet`, only the one to the network of the address; `none`,
 * the address alone.
 */
export const ROUTE_USES = ['all', 'subnet', 'none'] as const;

export type RouteUse = (typeof ROUTE_USES)[number];

/** How a lease is put onto the interface. */
export type ApplyPolicy = {
  /** Of every route of the lease. */
  readonly metric: number | undefined;
  readonly routes: RouteUse;
  /** Where its routes go, that to the network of its address with them; undefined: the main table. */
  readonly table: number | undefined;
  /** Whether the interface follows the network's MTU; not where the configuration states one. */
  readonly mtu: boolean;
};

/** Those that the plugin makes. */
export const MACVLAN_MODES = ['bridge', 'private', 'vepa', 'passthru'] as const;

/** What the daemon made a macvlan of, to make it again when its uplink was removed and has come back. */
export type LinkMade = {
  /** The uplink, by name in the daemon's namespace: its index changes when it comes back. */
  readonly master: string;
  readonly mode: (typeof MACVLAN_MODES)[number];
  /** What the configuration says; undefined: the uplink's. */
  readonly mtu: number | undefined;
  /** IFLA_MACVLAN_BC_QUEUE_LEN; undefined: the kernel's default. */
  readonly bcQueueLen: number | undefined;
};

/** Conflict detection (RFC 5227): not at all, beside the start of the container, or before ADD answers. */
export type ConflictCheck = 'off' | 'background' | 'before';

/** The pod that a lease is for, as the runtime names it, for people. */
export type NamedPod = { readonly namespace?: string | undefined; readonly name: string };

/** One lease as it is stored: all that is needed to renew or to release it after a restart. */
export type LeaseRecord = {
  readonly schema: typeof RECORD_SCHEMA;
  readonly key: LeaseKey;
  /** The boot in which the instants inside were read. */
  readonly bootId: string;
  /** Absent where the runtime names none, and in records of versions that did not keep it. */
  readonly pod?: NamedPod | undefined;
  readonly netns: { readonly path: string; readonly inode: string };
  readonly link: {
    readonly index: number;
    readonly mac: Mac;
    /** The daemon made this link, so it is the daemon that removes it. */
    readonly owned: boolean;
    /** Only where the daemon made it on an uplink of its own namespace; first records do not have it. */
    readonly made?: LinkMade | undefined;
  };
  /** The uplink whose tap hears answers for this interface, by index in the daemon's namespace; absent: none does. */
  readonly uplinkIndex: number | undefined;
  /** The interface of the daemon's namespace through which this LAN is reached: the macvlan's parent, or a bridge. */
  readonly lan: { readonly index: number; readonly name: string } | undefined;
  readonly apply: ApplyPolicy;
  readonly conflictCheck: ConflictCheck;
  /** The client may come back as the same one: its address is remembered when it goes. */
  readonly remember: boolean;
  /** `gone`: only the RELEASE is still owed. */
  readonly owner: 'pod' | 'gone';
  readonly config: Dhcp4Config;
  readonly state: Dhcp4State;
  /** Addresses that may still be on the interface on our behalf and have to go; written before anything changes. */
  readonly leftovers?: readonly Cidr<Ipv4>[] | undefined;
  /** An address that another DHCP client got, and that no server has confirmed to us yet. */
  readonly adopting?: Cidr<Ipv4> | undefined;
  /** The Ethernet address that the lease came from: the server's, a relay agent's, or that of the router on the way. */
  readonly leasedFrom?: Mac | undefined;
};

/** All of a record that does not change while the lease lives. */
export type LeaseIdentity = Omit<LeaseRecord, 'state' | 'leftovers' | 'adopting' | 'leasedFrom'>;

const Ipv4Text = v.custom<Ipv4>(
  (value) => typeof value === 'string' && parseIpv4(value) !== undefined,
  'not an IPv4 address',
);
const MacText = v.custom<Mac>(
  (value) => typeof value === 'string' && parseMac(value) === value,
  'not a MAC address',
);
const When = v.pipe(
  v.number(),
  v.finite(),
  v.transform((ms): Instant => instant(ms)),
);
const Whole = v.pipe(v.number(), v.integer(), v.minValue(0));
const Xid = v.pipe(Whole, v.maxValue(0xffffffff));
const Code = v.pipe(Whole, v.maxValue(254));
const HexText = v.pipe(v.string(), v.regex(/^([0-9a-f]{2})*$/, 'not hex'));

/** So many bytes as hex. */
function hexOf(bytes: number) {
  return v.pipe(HexText, v.length(2 * bytes, `not ${bytes} bytes`));
}

/** Options: code to hex. */
const OptionBytes = v.record(v.pipe(v.string(), v.regex(/^\d{1,3}$/), v.transform(Number)), HexText);
const Prefix = v.pipe(Whole, v.maxValue(32));
const Net4 = v.object({ address: Ipv4Text, prefix: Prefix });

/** JSON has no undefined: a key that is not there reads as undefined. */
function maybe<T>(schema: v.GenericSchema<unknown, T>) {
  return v.pipe(
    v.nullish(schema, null),
    v.transform((value): T | undefined => value ?? undefined),
  );
}

const Lease = v.object({
  address: Net4,
  serverId: Ipv4Text,
  acquiredAt: When,
  times: maybe(
    v.pipe(
      v.object({ renewAt: When, rebindAt: When, expiresAt: When }),
      // Else the first wake could come after the end, and the address be used past its time.
      v.check(
        (at) => at.renewAt <= at.rebindAt && at.rebindAt <= at.expiresAt,
        'T1, T2 and end out of order',
      ),
    ),
  ),
  routers: v.array(Ipv4Text),
  routes: v.array(v.object({ dst: Net4, router: maybe(Ipv4Text) })),
  dnsServers: v.array(Ipv4Text),
  domainName: maybe(v.string()),
  domainSearch: v.array(v.string()),
  mtu: maybe(Whole),
  refusedRoutes: v.optional(v.array(v.string()), []),
  malformed: v.array(v.string()),
  remarks: v.optional(v.array(v.string()), []),
  stated: v.optional(OptionBytes),
  leftOut: v.optional(v.array(Code)),
  nonce: v.optional(v.object({ key: hexOf(16), replay: hexOf(8) })),
});

const pending = { xid: Xid, tries: Whole, resendAt: When };

/** The states that hold a lease, `init` for a lease that was lost, and `ipv6-only`: nothing else has to survive. */
const State = v.variant('kind', [
  v.object({
    kind: v.literal('init'),
    last: maybe(Ipv4Text),
    lapsed: v.optional(v.boolean()),
    leftOut: v.optional(v.array(Code)),
  }),
  v.object({ kind: v.literal('ipv6-only'), until: When }),
  v.object({ kind: v.literal('verifying'), lease: Lease, requestedAt: When, ...pending }),
  v.object({ kind: v.literal('bound'), lease: Lease }),
  v.object({ kind: v.literal('renewing'), lease: Lease, requestedAt: When, ...pending }),
  v.object({ kind: v.literal('rebinding'), lease: Lease, requestedAt: When, ...pending }),
]);

const Record = v.object({
  schema: v.literal(RECORD_SCHEMA),
  key: v.object({ containerId: v.string(), network: v.string(), ifname: v.string() }),
  bootId: v.string(),
  pod: v.optional(v.object({ namespace: v.optional(v.string()), name: v.string() })),
  netns: v.object({ path: v.string(), inode: v.string() }),
  link: v.object({
    index: Whole,
    mac: MacText,
    owned: v.boolean(),
    made: v.optional(
      v.object({
        master: v.string(),
        mode: v.picklist(MACVLAN_MODES),
        mtu: maybe(Whole),
        bcQueueLen: maybe(Whole),
      }),
    ),
  }),
  uplinkIndex: maybe(Whole),
  // What follows was not known to the first records.
  lan: maybe(v.object({ index: Whole, name: v.string() })),
  apply: v.optional(
    v.object({
      metric: maybe(Whole),
      mtu: v.boolean(),
      // Later still.
      routes: v.optional(v.picklist(ROUTE_USES), 'all'),
      table: maybe(Whole),
    }),
    { metric: null, mtu: true, table: null },
  ),
  conflictCheck: v.optional(v.picklist(['off', 'background', 'before']), 'off'),
  remember: v.optional(v.boolean(), false),
  owner: v.optional(v.picklist(['pod', 'gone']), 'pod'),
  config: v.object({
    chaddr: MacText,
    clientId: maybe(HexText),
    clientIdOptional: v.optional(v.boolean()),
    requestedAddress: maybe(Ipv4Text),
    parameterRequest: v.array(Code),
    send: OptionBytes,
    servers: v.optional(v.array(Ipv4Text), []),
    relays: v.optional(v.array(Ipv4Text), []),
    mtu: v.optional(Whole),
    anonymous: v.optional(v.boolean()),
    ipv6Only: v.optional(v.boolean(), false),
    forceRenew: v.optional(v.boolean()),
    rapidCommit: v.boolean(),
    broadcast: v.picklist(['auto', 'always', 'never']),
  }),
  state: State,
  leftovers: v.optional(v.pipe(v.array(Net4), v.maxLength(MOST_LEFTOVERS))),
  adopting: v.optional(Net4),
  leasedFrom: v.optional(MacText),
});

/** A record as it was stored, or where it is not one: "state.lease.address: Invalid type ...". */
export function parseRecord(json: Json): Result<LeaseRecord, string> {
  const parsed = v.safeParse(Record, json);
  if (parsed.success) return ok(parsed.output);
  const [issue] = parsed.issues;
  const path = v.getDotPath(issue) ?? 'record';
  return err(`${path}: ${issue.message}`);
}
