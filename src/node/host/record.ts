import * as v from 'valibot';
import type { Cidr } from '../../base/cidr.ts';
import { formatCidr, networkOf, parseCidr } from '../../base/cidr.ts';
import { isIpv4 } from '../../base/ip.ts';
import { parseIpv4, type Ipv4 } from '../../base/ipv4.ts';
import type { Json } from '../../base/json.ts';
import { parseMac, type Mac } from '../../base/mac.ts';
import { err, ok, type Result } from '../../base/result.ts';

/** Bumped when a stored record can no longer be read by older code. */
export const HOST_SCHEMA = 1;

/** Names one attachment: what the CNI specification makes unique. */
export type AttachmentKey = {
  readonly containerId: string;
  readonly network: string;
  readonly ifname: string;
};

export function attachmentText({ containerId, network, ifname }: AttachmentKey): string {
  return `${containerId}/${network}/${ifname}`;
}

/** `auto`: the node's service networks; a list: these; `off`: none. */
export type ServicesWanted = 'auto' | 'off' | readonly Cidr<Ipv4>[];

/** What the node does for one interface of a pod. */
export type AttachmentRecord = {
  readonly kind: 'attachment';
  readonly schema: typeof HOST_SCHEMA;
  readonly key: AttachmentKey;
  /** The namespace's inode counts in this boot only. */
  readonly bootId: string;
  readonly netns: { readonly path: string; readonly inode: string };
  /** Of the pod's interface. */
  readonly mac: Mac;
  /** The interface of the node that the pod's stands on, by name: its index changes when it comes back. */
  readonly uplink: string;
  /** The node and the pod reach each other. */
  readonly hostAccess: boolean;
  readonly services: ServicesWanted;
  readonly lastHop: boolean;
  /** `lease`: whatever the lease of this attachment says; else what another IPAM gave. */
  readonly addresses: 'lease' | readonly Ipv4[];
};

/** A value of the node's own that was there before ours, to be put back. */
export type SavedSysctl = {
  readonly key: string;
  readonly value: string;
  readonly ours: string;
  /** What `conf.all` had at that moment: who sets that sets it for all interfaces. Absent: not known. */
  readonly all?: string | undefined;
};

/** What was made on one uplink. */
export type UplinkRecord = {
  readonly kind: 'uplink';
  readonly schema: typeof HOST_SCHEMA;
  readonly uplink: string;
  /** The pods have its MAC as that of their next hop: it stays the same for good. */
  readonly shim: { readonly name: string; readonly mac: Mac };
  /** Those that we put on the shim; others there are somebody else's. Absent: not known, of an earlier version. */
  readonly addresses?: readonly Ipv4[] | undefined;
  /** Of the uplink, as it was in this boot before anything of ours; another device begins with its own. */
  readonly sysctls: {
    readonly bootId: string;
    readonly index: number;
    readonly saved: readonly SavedSysctl[];
  };
};

export type HostRecord = AttachmentRecord | UplinkRecord;

/** What a record is kept under. */
export function hostRecordKey(record: HostRecord): string {
  return record.kind === 'uplink' ? `uplink ${record.uplink}` : `attachment ${attachmentText(record.key)}`;
}

/** As JSON text, with networks as a person writes them. */
export function formatHostRecord(record: HostRecord): string {
  const plain =
    record.kind === 'attachment' && typeof record.services !== 'string'
      ? { ...record, services: record.services.map(formatCidr) }
      : record;
  return `${JSON.stringify(plain)}\n`;
}

function text<T>(parse: (text: string) => T | undefined) {
  return v.pipe(
    v.string(),
    v.rawTransform<string, T>(({ dataset, addIssue, NEVER }) => {
      const value = parse(dataset.value);
      if (value !== undefined) return value;
      addIssue({ message: 'cannot be read' });
      return NEVER;
    }),
  );
}

function parseNetwork(value: string): Cidr<Ipv4> | undefined {
  const network = parseCidr(value);
  if (network === undefined || !isIpv4(network.address)) return undefined;
  return networkOf({ address: network.address, prefix: network.prefix });
}

const attachmentShape = v.object({
  kind: v.literal('attachment'),
  schema: v.literal(HOST_SCHEMA),
  key: v.object({ containerId: v.string(), network: v.string(), ifname: v.string() }),
  bootId: v.string(),
  netns: v.object({ path: v.string(), inode: v.string() }),
  mac: text(parseMac),
  uplink: v.string(),
  hostAccess: v.boolean(),
  services: v.union([v.picklist(['auto', 'off']), v.array(text(parseNetwork))]),
  lastHop: v.boolean(),
  addresses: v.union([v.literal('lease'), v.array(text(parseIpv4))]),
});

const uplinkShape = v.object({
  kind: v.literal('uplink'),
  schema: v.literal(HOST_SCHEMA),
  uplink: v.string(),
  shim: v.object({ name: v.string(), mac: text(parseMac) }),
  addresses: v.optional(v.array(text(parseIpv4))),
  sysctls: v.object({
    bootId: v.string(),
    index: v.number(),
    saved: v.array(
      v.object({ key: v.string(), value: v.string(), ours: v.string(), all: v.optional(v.string()) }),
    ),
  }),
});

const shape = v.variant('kind', [attachmentShape, uplinkShape]);

export function parseHostRecord(json: Json): Result<HostRecord, string> {
  const read = v.safeParse(shape, json);
  if (read.success) return ok(read.output);
  const [issue] = read.issues;
  return err(`${v.getDotPath(issue) ?? 'the record'}: ${issue.message}`);
}
